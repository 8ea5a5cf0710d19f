"""HubSpot's CRM API."""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Annotated, Any, Literal

from pydantic import Field, SecretStr

from wand_server.integrations.kit import (
    Bearer,
    Consent,
    Cursor,
    Date,
    DateTime,
    Email,
    FirstOf,
    OAuth2,
    Page,
    Personal,
    Rate,
    Resource,
    get,
    operation,
    patch,
    post,
)
from wand_server.integrations.kit.paging import NextCursor

AFTER = Cursor(items="results", mark="paging.next.after", sent_as="after")
Size = Annotated[int, Field(ge=1, le=100)]
Shown = Annotated[list[str], Field(description="names of properties to show")]
More = Annotated[dict[str, Any], Field(description="other properties, by name")]
Id = Annotated[str, Field(pattern=r"^\d{1,20}$", examples=["512"])]
_CONTACT = ["firstname", "lastname", "email", "phone", "company", "lifecyclestage"]
_COMPANY = ["name", "domain", "industry", "city", "phone"]
_DEAL = ["dealname", "amount", "dealstage", "pipeline", "closedate", "hubspot_owner_id"]
_LINKS = {  # HubSpot's own numbers of what connects what
    "deals": {"contacts": 3, "companies": 341},
    "tickets": {"contacts": 16, "companies": 339},
    "notes": {"contacts": 202, "companies": 190, "deals": 214, "tickets": 228},
}


class Record(Resource):
    id: str = ""
    properties: dict[str, Any] = {}
    created: Annotated[str | None, Field(alias="createdAt")] = None
    updated: Annotated[str | None, Field(alias="updatedAt")] = None
    archived: bool | None = None


class Owner(Resource):
    id: str = ""
    email: str | None = None
    first_name: Annotated[str | None, Field(alias="firstName")] = None
    last_name: Annotated[str | None, Field(alias="lastName")] = None


class Stage(Resource):
    id: str = ""
    label: str = ""


class Pipeline(Resource):
    id: str = ""
    label: str = ""
    stages: list[Stage] = []


class Condition(Resource):
    """What a property has to be."""

    property: Annotated[str, Field(alias="propertyName")]
    operator: Literal[
        "EQ", "NEQ", "LT", "LTE", "GT", "GTE", "HAS_PROPERTY", "NOT_HAS_PROPERTY", "CONTAINS_TOKEN"
    ] = "EQ"
    value: str | None = None


BY_PEOPLE = Consent(
    authorize_url="https://app.hubspot.com/oauth/authorize",
    token_url="https://api.hubapi.com/oauth/v1/token",  # noqa: S106 - an address
    scope="crm.objects.contacts.read crm.objects.contacts.write crm.objects.companies.read "
    "crm.objects.companies.write crm.objects.deals.read crm.objects.deals.write crm.objects.owners.read "
    "tickets",
)


class HubSpot(Personal):
    """An account at HubSpot, as an app or as each person."""

    class Config(Personal.Config):
        """Who signs in."""

        token: SecretStr | None = Field(default=None, description="of a private app")
        client_id: str = Field(default="", description="of an app, by which each person signs in")
        client_secret: SecretStr | None = None
        refresh_token: SecretStr | None = None

    base_url = "https://api.hubapi.com"
    sign_in = FirstOf(
        (
            (("token",), Bearer("token")),
            (
                ("client_id", "client_secret", "refresh_token"),
                OAuth2(token_url="https://api.hubapi.com/oauth/v1/token", grant="refresh_token"),  # noqa: S106 - no secret
            ),
            (("client_id", "client_secret"), BY_PEOPLE),
        )
    )
    rate = Rate(10)

    async def health_check(self) -> None:
        await self.list_owners(limit=1)

    @get("/crm/objects/2026-03/contacts", paging=AFTER)
    async def list_contacts(self, limit: Size = 20, properties: Shown = _CONTACT) -> Page[Record]:
        """List contacts: the people that are known in the CRM."""

    @get("/crm/objects/2026-03/contacts/{contact_id}")
    async def get_contact(self, contact_id: Id, properties: Shown = _CONTACT) -> Record:
        """Look at a contact: name, address, phone, company."""

    @operation()
    async def create_contact(
        self,
        email: Email,
        first_name: str | None = None,
        last_name: str | None = None,
        phone: str | None = None,
        company: Annotated[str | None, Field(description="its name")] = None,
        more: More | None = None,
    ) -> Record:
        """Create a contact: add a lead or a customer to the CRM."""
        said = _said(email=email, firstname=first_name, lastname=last_name, phone=phone, company=company)
        return await self._create_contact(properties=said | (more or {}), associations=[])

    @post("/crm/objects/2026-03/contacts")
    async def _create_contact(self, properties: dict[str, Any], associations: list[Any]) -> Record:
        """A contact as HubSpot takes it."""

    @patch("/crm/objects/2026-03/contacts/{contact_id}", idempotent=True)
    async def update_contact(
        self,
        contact_id: Id,
        properties: Annotated[
            dict[str, Any], Field(min_length=1, description="only what changes, such as phone or jobtitle")
        ],
    ) -> Record:
        """Change a contact's properties: address, phone, owner, stage."""

    @operation(read_only=True)
    async def search_contacts(
        self,
        query: Annotated[str | None, Field(description="words in the name, the address, the phone")] = None,
        conditions: Annotated[list[Condition] | None, Field(description="all have to hold")] = None,
        limit: Size = 20,
        properties: Shown = _CONTACT,
        cursor: NextCursor = None,
    ) -> Page[Record]:
        """Find contacts by name, e-mail address, phone, company or any property."""
        filters = [one.model_dump(by_alias=True, exclude_none=True) for one in conditions or ()]
        return await self._search(
            query=query,
            filterGroups=[{"filters": filters}] if filters else [],
            limit=limit,
            properties=properties,
            sorts=[],
            cursor=cursor,
        )

    @post("/crm/objects/2026-03/contacts/search", read_only=True, paging=AFTER, fixed={"after": "0"})
    async def _search(
        self,
        filterGroups: list[Any],  # noqa: N803 - the vendor's name
        limit: int,
        properties: list[str],
        sorts: list[str],
        query: str | None = None,
        cursor: str | None = None,
    ) -> Page[Record]:
        """A search as HubSpot takes it."""

    @get("/crm/objects/2025-09/companies", paging=AFTER)
    async def list_companies(self, limit: Size = 20, properties: Shown = _COMPANY) -> Page[Record]:
        """List the companies in the CRM."""

    @operation()
    async def create_company(
        self,
        name: Annotated[str, Field(min_length=1)],
        domain: Annotated[str | None, Field(description="such as example.com")] = None,
        more: More | None = None,
    ) -> Record:
        """Create a company: add an organisation to the CRM."""
        return await self._create(kind="companies", properties=_said(name=name, domain=domain) | (more or {}))

    @get("/crm/objects/2025-09/deals", paging=AFTER)
    async def list_deals(self, limit: Size = 20, properties: Shown = _DEAL) -> Page[Record]:
        """List deals: the opportunities of the sales pipeline."""

    @operation()
    async def create_deal(
        self,
        name: Annotated[str, Field(min_length=1)],
        stage: Annotated[str, Field(description="id, from list_pipelines")],
        pipeline: Annotated[str, Field(description="id, from list_pipelines")] = "default",
        amount: float | None = None,
        close_date: Date | None = None,
        contact_id: Id | None = None,
        company_id: Id | None = None,
        more: More | None = None,
    ) -> Record:
        """Create a deal: an opportunity in the sales pipeline."""
        said = _said(dealname=name, dealstage=stage, pipeline=pipeline, amount=amount, closedate=close_date)
        to = {"contacts": contact_id, "companies": company_id}
        return await self._create(kind="deals", properties=said | (more or {}), to=to)

    @operation(idempotent=True)
    async def update_deal(
        self,
        deal_id: Id,
        properties: Annotated[
            dict[str, Any], Field(min_length=1, description="only what changes, such as dealstage or amount")
        ],
    ) -> Record:
        """Change a deal: move it to another stage, set its amount, mark it as won or lost."""
        return await self._update(kind="deals", id=deal_id, properties=properties)

    @operation()
    async def create_ticket(
        self,
        subject: Annotated[str, Field(min_length=1)],
        content: str | None = None,
        priority: Literal["LOW", "MEDIUM", "HIGH", "URGENT"] | None = None,
        pipeline: Annotated[str, Field(description="id, from list_pipelines")] = "0",
        stage: Annotated[str, Field(description="id, from list_pipelines; 1: new")] = "1",
        contact_id: Id | None = None,
        company_id: Id | None = None,
        more: More | None = None,
    ) -> Record:
        """Create a support ticket of a customer."""
        said = _said(
            subject=subject,
            content=content,
            hs_ticket_priority=priority,
            hs_pipeline=pipeline,
            hs_pipeline_stage=stage,
        )
        to = {"contacts": contact_id, "companies": company_id}
        return await self._create(kind="tickets", properties=said | (more or {}), to=to)

    @operation()
    async def create_note(
        self,
        text: Annotated[str, Field(min_length=1, max_length=65536)],
        about: Literal["contacts", "companies", "deals", "tickets"],
        id: Annotated[Id, Field(description="of that contact, company, deal or ticket")],
        at: Annotated[DateTime | None, Field(description="when it was said; left out: now")] = None,
    ) -> Record:
        """Write a note down at a contact, a company, a deal or a ticket: what was said in a call."""
        said = {"hs_note_body": text, "hs_timestamp": at or datetime.now(UTC).isoformat(timespec="seconds")}
        return await self._create(kind="notes", properties=said, to={about: id})

    async def _create(
        self, kind: str, properties: dict[str, Any], to: Mapping[str, str | None] | None = None
    ) -> Record:
        """A new record, connected with those that are named."""
        links = [_link(kind, other, one) for other, one in (to or {}).items() if one]
        return await self._post(kind=kind, properties=properties, associations=links)

    @post("/crm/objects/2025-09/{kind}")
    async def _post(self, kind: str, properties: dict[str, Any], associations: list[Any]) -> Record:
        """A record as HubSpot takes it."""

    @patch("/crm/objects/2025-09/{kind}/{id}", idempotent=True)
    async def _update(self, kind: str, id: str, properties: dict[str, Any]) -> Record:
        """Properties as HubSpot takes them."""

    @get("/crm/v3/owners", paging=AFTER)
    async def list_owners(self, email: Email | None = None, limit: Size = 100) -> Page[Owner]:
        """List the people who own contacts and deals: the sales team."""

    @get("/crm/v3/pipelines/{kind}", place="results")
    async def list_pipelines(self, kind: Literal["deals", "tickets"] = "deals") -> list[Pipeline]:
        """List the pipelines of deals or tickets, and the stages of each."""


def _said(**values: Any) -> dict[str, Any]:
    return {name: str(value) for name, value in values.items() if value is not None}


def _link(kind: str, other: str, id: str) -> dict[str, Any]:
    type_id = _LINKS[kind][other]
    types = [{"associationCategory": "HUBSPOT_DEFINED", "associationTypeId": type_id}]
    return {"to": {"id": id}, "types": types}
