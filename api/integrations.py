"""Our numbers, and the templates that each of them may send; drafts of these are written here, too."""

from collections.abc import Sequence
from typing import Annotated, Any, Final

from pydantic import ConfigDict, Field
from sqlalchemy import select

import integrations
import message_templates
from api import shapes
from api.doors import PREFIX, Body, Refused, Written, endpoint, found
from api.kinds import VISIBLE, BodyId, Clean, Flag, OneOf, RowId
from api.paging import DatedQuery, Page, narrowed, page
from message_templates import DraftRefused
from models import Integration, MessageTemplate, db, utc_now
from providers import templates
from providers.templates import Button, Draft, Wording

TEXT_MAX_CHARS: Final = 2_000
Text = Annotated[str, Field(max_length=TEXT_MAX_CHARS), Clean]


class IntegrationQuery(DatedQuery):
    is_active: Flag | None = None


class TemplateQuery(DatedQuery):
    integration_id: RowId | None = None
    name: Annotated[str, Field(max_length=512), Clean] | None = None
    language: Annotated[str, Field(max_length=15), Clean] | None = Field(
        default=None, description="The provider's code: pt_BR, en."
    )
    status: Annotated[str, Field(max_length=20), Clean] | None = Field(
        default=None, description="draft, pending, approved, rejected, paused, disabled, archived or deleted."
    )


class DraftButton(Body):
    """A button; `value` is the address, the telephone number or the code, by its kind."""

    kind: Annotated[str, OneOf(templates.WRITABLE_BUTTONS)]
    text: Annotated[str, Field(max_length=100), Clean] = ""
    value: Text = ""


class TemplateWords(Body):
    """A draft as a whole. What the provider would refuse is refused here, part by part."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {
                    "name": "order_shipped",
                    "language": "pt_BR",
                    "category": "utility",
                    "body": "Olá {{1}}, o seu pedido saiu para entrega hoje. Bom proveito!",
                    "examples": {"1": "Mariana"},
                }
            ]
        }
    )

    name: Annotated[str, Field(pattern=r"^[a-z0-9_]{1,512}$")]
    language: Annotated[str, OneOf(templates.LANGUAGE_CODES)]
    category: Annotated[str, OneOf(templates.CATEGORIES)]
    body: Annotated[str, Field(max_length=TEXT_MAX_CHARS, pattern=VISIBLE), Clean]
    header: Text = Field(default="", description="A text on top; files are put there at the desk.")
    footer: Text = ""
    buttons: Annotated[tuple[DraftButton, ...], Field(max_length=templates.BUTTONS_MAX)] = ()
    examples: dict[Annotated[str, Field(max_length=60)], Text] = Field(
        default={}, description="What a placeholder may hold, by its key: the provider's review reads it."
    )


class NewTemplate(TemplateWords):
    integration_id: BodyId


@endpoint("GET", "/integrations", scope="integrations:read")
def list_integrations(asked: IntegrationQuery) -> Page[shapes.Integration]:
    """List our WhatsApp numbers."""
    query = narrowed(select(Integration), asked, Integration.created_at, is_active=Integration.is_active)
    return page(query, Integration.id, asked, lambda rows: [shapes.Integration.of(row) for row in rows])


@endpoint("GET", "/integrations/<int:integration_id>", scope="integrations:read")
def get_integration(integration_id: int) -> shapes.Integration:
    """Get one number and how it is."""
    return shapes.Integration.of(found(db.session.get(Integration, integration_id)))


@endpoint("GET", "/templates", scope="outreach:read")
def list_templates(asked: TemplateQuery) -> Page[shapes.Template]:
    """List message templates."""
    query = narrowed(
        select(MessageTemplate),
        asked,
        MessageTemplate.created_at,
        integration_id=MessageTemplate.integration_id,
        name=MessageTemplate.name,
        language=MessageTemplate.language,
        status=MessageTemplate.status,
    )
    return page(query, MessageTemplate.id, asked, _templates)


@endpoint("GET", "/templates/<int:template_id>", scope="outreach:read")
def get_template(template_id: int) -> shapes.Template:
    """Get one message template."""
    return _templates([found(db.session.get(MessageTemplate, template_id))])[0]


@endpoint(
    "POST", "/templates", scope="outreach:write", status=201, refusals=("number_off", "template_refused")
)
def create_template(said: NewTemplate) -> Written[shapes.Made]:
    """Write a template down as a draft; people hand it in."""
    if integrations.number(said.integration_id) is None:
        raise Refused("number_off", "There is no such number, or it is switched off.")
    row = _save(said.integration_id, said, None)
    return Written(shapes.Made(id=row.id, url=f"{PREFIX}/templates/{row.id}"))


@endpoint(
    "PUT",
    "/templates/<int:template_id>",
    scope="outreach:write",
    refusals=("template_refused",),
    locks=MessageTemplate,
)
def replace_template(template_id: int, said: TemplateWords) -> Written[shapes.Template]:
    """Replace a draft, or a template that was rejected."""
    row = found(db.session.get(MessageTemplate, template_id, with_for_update=True))
    return Written(_templates([_save(row.integration_id, said, row)])[0])


def _save(number_id: int, said: TemplateWords, row: MessageTemplate | None) -> MessageTemplate:
    body, header = said.body.strip(), said.header.strip()
    wording = Wording(
        body=body,
        header_kind="text" if header else "",
        header=header,
        footer=said.footer.strip(),
        buttons=tuple(_button(one) for one in said.buttons),
        examples={key: text.strip() for key, text in said.examples.items() if text.strip()},
        style=templates.style_of(body, is_shared=False),
    )
    draft = Draft(said.name, said.language, said.category, wording)
    try:
        return message_templates.save_draft(number_id, draft, row, now=utc_now(), actor="program")
    except DraftRefused as refused:
        told = "; ".join(f"{one.part}: {one.code}" for one in refused.problems)
        raise Refused("template_refused", f"The template cannot be kept like this ({told}).") from refused


def _button(said: DraftButton) -> Button:
    places = {"url": "url", "phone_number": "phone", "copy_code": "code"}
    value: Any = {places[said.kind]: said.value.strip()} if said.kind in places else {}
    return Button(said.kind, said.text.strip(), **value)


def _templates(rows: Sequence[MessageTemplate]) -> list[shapes.Template]:
    return [
        shapes.Template.of(
            row,
            placeholders=[place.key for place in templates.placeholders(message_templates.wording_of(row))],
            is_usable=message_templates.is_usable(row),
        )
        for row in rows
    ]
