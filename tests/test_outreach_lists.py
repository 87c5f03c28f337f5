"""Lists of people: whatever a spreadsheet wrote is read, or refused in words."""

import pytest

from outreach import lists
from outreach.lists import ListRefused

GOOD = "5581999990001"


def read(text: str, encoding: str = "utf-8", region: str | None = "BR") -> lists.PeopleList:
    return lists.read(text.encode(encoding), region)


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "cp1252"])
@pytest.mark.parametrize("mark", [",", ";", "\t", "|"])
def test_every_usual_file_is_read(encoding: str, mark: str) -> None:
    rows = [["nome", "telefone", "cidade"], ["João Conceição", "+55 81 99999-0001", "Olinda"]]
    found = read("\r\n".join(mark.join(row) for row in rows), encoding)
    (person,) = found.people
    assert (person.name, person.wa_id, person.columns["cidade"]) == ("João Conceição", GOOD, "Olinda")


@pytest.mark.parametrize(
    ("written", "wa_id"),
    [
        ("+55 81 99999-0001", GOOD),
        ("(81) 99999-0001", GOOD),
        ("81999990001", GOOD),
        ("5581999990001", GOOD),
        ("'+5581999990001", GOOD),
        ("5581999990001.0", GOOD),
        ("0055 81 99999 0001", GOOD),
        ("558187654321", "558187654321"),  # an old account without the ninth digit
        ("+1 415 523 8886", "14155238886"),
        ("5,5819999E+12", None),
        ("123", None),
        ("", None),
        ("+55 81 99999-0001 ramal 3", None),
        ("=HYPERLINK(1)", None),
        ("ligar depois", None),
        ("+" + "9" * 30, None),
        ("٥٥٨١٩٩٩٩٩٠٠٠١", GOOD),
    ],
)
def test_phones_are_read_as_people_write_them(written: str, wa_id: str | None) -> None:
    assert lists.wa_id_of(written, "BR") == wa_id


@pytest.mark.parametrize(
    ("content", "code"),
    [
        (b"", "empty"),
        (b"\xef\xbb\xbf", "empty"),
        (b"nome,telefone\n", "empty"),
        (b"nome,cidade\nAna,Recife\n", "no_phone_column"),
        (b"PK\x03\x04\x14\x00\x06\x00\x08\x00" + b"\0" * 40, "not_text"),
        (b"x" * (lists.MAX_BYTES + 1), "too_large"),
        (b"telefone\n" + b"81999990001\n" * (lists.MAX_ROWS + 1), "too_many_rows"),
        (b"telefone" + b",x" * lists.MAX_COLUMNS + b"\n1\n", "too_many_columns"),
        (b'telefone,nome\n81999990001,"' + b"x" * 200_000 + b'"\n', "broken"),
        (b'telefone,nome\n"81999990001,Ana\n81999990002,Bia\n', "broken"),
    ],
)
def test_what_is_no_list_is_refused(content: bytes, code: str) -> None:
    with pytest.raises(ListRefused) as refused:
        lists.read(content, "BR")
    assert refused.value.code == code


def test_line_ends_of_old_macs_are_read() -> None:
    found = read("telefone,nome\r81999990001,Ana\r81999990002,Bia\r")
    assert [person.name for person in found.people] == ["Ana", "Bia"]


def test_a_file_without_names_begins_with_its_first_person() -> None:
    found = read("81999990001;Ana\n81999990002;Bia\n")
    assert [person.wa_id for person in found.people] == ["5581999990001", "5581999990002"]
    assert [person.line for person in found.people] == [1, 2]


def test_a_formula_is_nothing_but_its_characters() -> None:
    found = read("telefone,nome\n81999990001,\"=cmd|' /C calc'!A0\"\n")
    assert found.people[0].name == "=cmd|' /C calc'!A0"


def test_excels_line_about_the_delimiter_is_no_row() -> None:
    found = read("sep=;\ntelefone;nome\n81999990001;Ana, Maria\n")
    assert found.people[0].name == "Ana, Maria"


def test_a_line_break_within_quotes_stays_in_its_cell() -> None:
    found = read('telefone,nota\n81999990001,"a\nb"\n81999990002,c\n')
    assert [person.columns["nota"] for person in found.people] == ["a\nb", "c"]


def test_columns_of_one_name_are_told_apart() -> None:
    found = read("telefone,nota,nota\n81999990001,a,b\n")
    assert found.people[0].columns == {"nota": "a", "nota_3": "b"}


def test_only_languages_of_the_desk_are_taken() -> None:
    found = read("telefone,idioma\n81999990001,pt-BR\n81999990002,klingon\n")
    assert [person.language for person in found.people] == ["pt", ""]
