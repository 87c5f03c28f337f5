"""Our numbers, and the templates that each of them may send."""

from collections.abc import Sequence
from typing import Annotated

from pydantic import Field
from sqlalchemy import select

import message_templates
from api import shapes
from api.doors import endpoint, found
from api.kinds import Clean, Flag, RowId
from api.paging import DatedQuery, Page, narrowed, page
from models import Integration, MessageTemplate, db
from providers import templates


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


def _templates(rows: Sequence[MessageTemplate]) -> list[shapes.Template]:
    return [
        shapes.Template.of(
            row,
            placeholders=[place.key for place in templates.placeholders(message_templates.wording_of(row))],
            is_usable=message_templates.is_usable(row),
        )
        for row in rows
    ]
