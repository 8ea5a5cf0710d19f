"""HiBob's API."""

from typing import Annotated, Any, Literal

from pydantic import Field, SecretStr

from wand_server.integrations.kit import (
    Basic,
    Date,
    Email,
    Integration,
    Rate,
    Resource,
    Sent,
    get,
    operation,
    post,
    put,
)

PersonId = Annotated[str, Field(min_length=1, description="id, from search_employees; or e-mail address")]
EmployeeId = Annotated[str, Field(min_length=1, description="from search_employees")]
Portion = Literal["all_day", "morning", "afternoon"]
Fields = Annotated[list[str] | None, Field(description="from list_people_fields, such as work.title")]


class Person(Resource):
    id: str = ""
    name: Annotated[str | None, Field(alias="displayName")] = None
    email: str | None = None
    work: dict[str, Any] | None = None
    about: dict[str, Any] | None = None
    personal: dict[str, Any] | None = None


class Away(Resource):
    employee_id: Annotated[str | None, Field(alias="employeeId")] = None
    name: Annotated[str | None, Field(alias="employeeDisplayName")] = None
    kind: Annotated[str | None, Field(alias="policyTypeDisplayName")] = None
    start: Annotated[str | None, Field(alias="startDate")] = None
    end: Annotated[str | None, Field(alias="endDate")] = None
    status: str | None = None


class PeopleField(Resource):
    id: str = ""
    name: str | None = None
    category: str | None = None
    type: str | None = None
    path: Annotated[str | None, Field(alias="jsonPath")] = None


class Document(Resource):
    name: Annotated[str | None, Field(alias="documentName")] = None
    link: Annotated[str | None, Field(alias="downloadLink")] = None


class Task(Resource):
    id: float | None = None
    title: str | None = None
    description: str | None = None
    set: str | None = None


class HiBob(Integration):
    """A company at HiBob, as a service user."""

    class Config(Integration.Config):
        """Who signs in."""

        service_user: str = Field(description="its id (SERVICE-…)")
        token: SecretStr

    base_url = "https://api.hibob.com/v1"
    sign_in = Basic("service_user", "token")
    rate = Rate(50, per_seconds=60)

    async def health_check(self) -> None:
        await self.list_people_fields()

    @operation(read_only=True)
    async def search_employees(
        self,
        email: Annotated[Email | None, Field(description="of just that person")] = None,
        ids: Annotated[list[str] | None, Field(description="of just those people")] = None,
        fields: Fields = None,
        show_inactive: bool = False,  # noqa: FBT001, FBT002
    ) -> list[Person]:
        """List the employees of the company, or find some: the staff directory in HiBob."""
        asked = {"root.email": [email] if email else None, "root.id": ids}
        filters = [
            {"fieldPath": path, "operator": "equals", "values": values}
            for path, values in asked.items()
            if values
        ]
        return await self._search(fields=fields, filters=filters or None, showInactive=show_inactive)

    @post("/people/search", place="employees", read_only=True)
    async def _search(
        self,
        fields: list[str] | None = None,
        filters: list[dict[str, Any]] | None = None,
        showInactive: bool = False,  # noqa: FBT001, FBT002, N803 - the vendor's name
    ) -> list[Person]:
        """A search as HiBob takes it."""

    @operation(read_only=True)
    async def get_employee(self, person: PersonId, fields: Fields = None) -> list[Person]:
        """Look at an employee: job, department, manager, start date."""
        return await self._get(person=person, fields=fields or ["root.displayName", "root.email", "work"])

    @post("/people/{person}", place="employees", read_only=True)
    async def _get(self, person: str, fields: list[str]) -> list[Person]:
        """A person as HiBob tells."""

    @operation()
    async def create_employee(
        self,
        first_name: Annotated[str, Field(min_length=1)],
        last_name: Annotated[str, Field(min_length=1)],
        email: Email,
        site: str,
        start_date: Date,
    ) -> Person:
        """Create an employee: add a new hire."""
        work = {"site": site, "startDate": start_date}
        return await self._create(firstName=first_name, surname=last_name, email=email, work=work)

    @post("/people")
    async def _create(
        self,
        firstName: str,  # noqa: N803 - the vendor's name
        surname: str,
        email: str,
        work: dict[str, str],
    ) -> Person:
        """A person as HiBob takes it."""

    @put("/people/{employee}")
    async def update_employee(
        self,
        employee: EmployeeId,
        changes: Annotated[
            dict[str, Any],
            Field(min_length=1, description='only what changes, such as {"work": {"title": "Lead"}}'),
            Sent(where="whole_body"),
        ],
    ) -> None:
        """Change an employee's record."""

    @get("/timeoff/whosout", place="outs")
    async def list_whos_out(
        self, start: Annotated[Date, Sent("from")], end: Annotated[Date, Sent("to")]
    ) -> list[Away]:
        """List who is out between two days: on vacation, leave or sick."""

    @get("/timeoff/outtoday", place="outs")
    async def list_out_today(self, today: Date | None = None) -> list[Away]:
        """List who is out of office today."""

    @post("/timeoff/employees/{employee}/requests")
    async def create_time_off_request(
        self,
        employee: EmployeeId,
        policy_type: Annotated[str, Field(description="such as Holiday"), Sent("policyType")],
        start_date: Annotated[Date, Sent("startDate")],
        end_date: Annotated[Date, Sent("endDate")],
        start_portion: Annotated[Portion, Sent("startDatePortion")] = "all_day",
        end_portion: Annotated[Portion, Sent("endDatePortion")] = "all_day",
        kind: Annotated[Literal["days"], Sent("requestRangeType")] = "days",
        description: str | None = None,
    ) -> None:
        """Request time off for an employee: vacation, holiday, sick leave."""

    @get("/company/people/fields")
    async def list_people_fields(self) -> list[PeopleField]:
        """List the fields that an employee's record has in HiBob."""

    @get("/docs/people/{employee}", place="documents")
    async def list_employee_documents(self, employee: EmployeeId) -> list[Document]:
        """List the documents of an employee: contract, certificates."""

    @get("/tasks", place="tasks")
    async def list_tasks(self) -> list[Task]:
        """List the open tasks of onboarding and the like, in HiBob."""
