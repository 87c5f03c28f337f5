"""What admins set while the desk runs: over the environment, for every process, within the same bounds."""

from collections.abc import Callable

import pytest
from flask import Flask

import consulting
import desk_settings
from config import Config, ConfigError
from desk_settings import Change
from models import DeskSetting, db
from tests.records import NOW

Load = Callable[..., Config]


def test_what_was_saved_comes_before_the_environment_and_can_go_back_to_it(
    app: Flask, load_config: Load
) -> None:
    config = load_config(AI_MODEL="one", AI_VISION_MODEL="eyes")
    with app.app_context():
        assert desk_settings.current(config) is config
        told = desk_settings.save({"AI_MODEL": "two", "AI_VISION_MODEL": "", "AI_TONE": None}, now=NOW)
        assert told == [Change("AI_MODEL", None, "two"), Change("AI_VISION_MODEL", None, "")]
        db.session.commit()
        assert desk_settings.current(config) is config, "it is remembered for a moment"
        desk_settings.forget_read()
        now = desk_settings.current(config)
        assert (now.ai_model, now.ai_vision_model, now.ai_judge) == ("two", "", config.ai_judge)
        assert desk_settings.current(config) is now
        assert desk_settings.save({"AI_MODEL": "two"}, now=NOW) == []
        assert desk_settings.save({"AI_MODEL": None}, now=NOW) == [Change("AI_MODEL", "two", None)]
        db.session.commit()
        desk_settings.forget_read()
        assert desk_settings.current(config).ai_model == "one"


def test_a_text_that_the_environment_may_not_have_is_refused_whole(app: Flask, load_config: Load) -> None:
    with app.app_context():
        with pytest.raises(ConfigError, match="RETENTION_MEDIA_DAYS"):
            desk_settings.save({"RETENTION_MEDIA_DAYS": "-1", "AI_MODEL": "two"}, now=NOW)
        assert desk_settings.kept() == {}
        db.session.add(DeskSetting(name="AI_JUDGE", value="perhaps", updated_at=NOW))
        db.session.commit()
        assert desk_settings.current(load_config()).ai_judge == "doubt"


def test_a_read_inside_a_transaction_leaves_it_open(app: Flask, load_config: Load) -> None:
    with app.app_context():
        db.session.add(DeskSetting(name="AI_MODEL", value="two", updated_at=NOW))
        db.session.flush()
        assert desk_settings.current(load_config()).ai_model == "two"
        assert db.session().in_transaction()


def test_models_follow_the_settings_and_keep_what_is_known_of_them(app: Flask, load_config: Load) -> None:
    config = load_config(AI_BASE_URL="http://127.0.0.1:1", AI_MODEL="one")
    with app.app_context():
        first = consulting.means_now(config).assistant
        assert first is not None
        assert consulting.means_now(config).assistant is first
        wanted = {"AI_MODEL": "two", "AI_TEMPERATURE": "0", "AI_READS": "false", "AI_TONE": "Tratar por tu"}
        desk_settings.save(wanted, now=NOW)
        db.session.commit()
        desk_settings.forget_read()
        then = consulting.means_now(config).assistant
        assert then is not None
        assert [model.name for model in then.models.chat] == ["two"]
        assert (then.voice.temperature, then.voice.reads, then.voice.tone) == (0.0, False, "Tratar por tu")
        assert then.memory is first.memory
        desk_settings.save({"AI_USE": "off"}, now=NOW)
        db.session.commit()
        desk_settings.forget_read()
        assert consulting.means_now(config).assistant is None
