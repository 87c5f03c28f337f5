"""Files of our own in messages: uploaded to Meta, named to Twilio, shown by the simulator, gone after 1 h."""

from datetime import timedelta

import integrations
import media
import tasks
import whatsapp_service
from message_content import Media, Text
from models import Conversation, StoredFile, db, utc_now
from providers.base import Account, OwnFile
from providers.simulator import simulator
from providers.twilio import twilio
from tests.real_door import WalkedDesk
from tests.records import NOW

PNG = b"\x89PNG\r\n\x1a\n" + b"x" * 40
PICTURE = Media("image", file_id=7, caption="Pix")


def keep(desk: WalkedDesk) -> int:
    folder = tasks._config().media_dir
    return media.store(PNG, "image/png", "qr.png", folder, now=desk.clock()).id


def queue(desk: WalkedDesk, file_id: int) -> None:
    conversation = db.session.query(Conversation).one()
    number = integrations.numbers()[0]
    whatsapp_service.queue(
        conversation.id,
        number,
        [Media("image", file_id=file_id, caption="Pix")],
        sender="shop",
        now=desk.clock(),
    )
    db.session.commit()


def test_a_file_of_ours_is_uploaded_and_sent_by_its_id(desk: WalkedDesk) -> None:
    desk.says("hello")
    with desk.app.app_context():
        queue(desk, keep(desk))
    desk.work()
    sent = desk.graph.sent[-1].payload
    assert sent["type"] == "image"
    assert sent["image"]["caption"] == "Pix"
    assert desk.graph.media[sent["image"]["id"]].content == PNG
    assert desk.outgoing()[-1].status == "sent"


def test_a_file_that_is_gone_is_said_and_holds_nothing_up(desk: WalkedDesk) -> None:
    desk.says("hello")
    with desk.app.app_context():
        queue(desk, 4711)
    desk.work()
    assert (desk.outgoing()[-1].status, desk.outgoing()[-1].error_code) == ("failed", "file_gone")


def test_twilio_is_told_an_https_address_or_gets_the_words_alone() -> None:
    account = Account(1, "twilio", "+14155238886")
    secure = OwnFile(PNG, "image/png", "qr.png", "https://desk.example.com/f/x")
    assert twilio.attach(account, PICTURE, secure) == Media("image", link=secure.url, caption="Pix")
    local = OwnFile(PNG, "image/png", "qr.png", "http://127.0.0.1:5000/f/x")
    assert twilio.attach(account, PICTURE, local) == Text("Pix")


def test_the_simulator_takes_the_address_as_it_is() -> None:
    local = OwnFile(PNG, "image/png", "qr.png", "http://127.0.0.1:5000/f/x")
    assert simulator.attach(Account(1, "simulator", "1"), PICTURE, local) == Media(
        "image", link=local.url, caption="Pix"
    )


def test_a_public_address_is_ours_and_ends(app, tmp_path) -> None:
    with app.app_context():
        row = media.store(PNG, "image/png", "../../qr.png", tmp_path, now=NOW)
        again = media.store(PNG, "image/png", "../../qr.png", tmp_path, now=NOW)
        assert (again.id, "/" in row.filename) == (row.id, False)
        signed = media.public_path(row.id, secret_key="k" * 16, now=NOW).removeprefix(media.PUBLIC_PREFIX)
        assert media.public_file(signed, secret_key="k" * 16, now=NOW) is row
        assert media.public_file(signed, secret_key="other" * 4, now=NOW) is None
        assert media.public_file(signed, secret_key="k" * 16, now=NOW + timedelta(hours=2)) is None
        for forged in ("", "x", "file-1-9999999999.0000000000000000", signed[:-1], f"{signed}0"):
            assert media.public_file(forged, secret_key="k" * 16, now=NOW) is None


def test_a_page_that_is_sold_runs_nothing_here(app, client) -> None:
    with app.app_context():
        config = app.config["BALCAO"]
        row = media.store(b"<script>x</script>", "text/html", "a.html", config.media_dir, now=utc_now())
        path = media.public_path(row.id, secret_key=config.secret_key, now=utc_now())
        db.session.commit()
    answer = client.get(path)
    assert answer.status_code == 200
    assert answer.headers["Content-Security-Policy"] == "default-src 'none'; sandbox"


def test_a_path_outside_the_folder_is_no_file(app, tmp_path) -> None:
    (tmp_path / "secret").write_text("x")
    folder = tmp_path / "media"
    folder.mkdir()
    for path in ("../secret", "/etc/hostname", "", "."):
        row = StoredFile(sha256="0", path=path, mime_type="x", size_bytes=1)
        assert media.file_of(row, folder) is None
