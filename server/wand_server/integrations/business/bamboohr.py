"""BambooHR's REST API."""

from typing import Annotated, Any, ClassVar, Literal
from urllib.parse import urlsplit

from pydantic import Field, SecretStr

from wand_server.integrations.kit import (
    Basic,
    Date,
    Email,
    Integration,
    Rate,
    Request,
    Resource,
    Sent,
    get,
    operation,
    post,
    put,
)

EmployeeId = Annotated[int, Field(ge=0, description="from list_directory; 0: whose key this is")]
RequestId = Annotated[int, Field(ge=1, description="from list_time_off_requests")]
_FIELDS = [
    "displayName", "firstName", "lastName", "jobTitle", "department", "location", "supervisor", "workEmail",
    "hireDate", "status",
]  # fmt: skip


class Employee(Resource):
    id: str | int = ""
    name: Annotated[str | None, Field(alias="displayName")] = None
    job_title: Annotated[str | None, Field(alias="jobTitle")] = None
    department: str | None = None
    location: str | None = None
    supervisor: str | None = None
    work_email: Annotated[str | None, Field(alias="workEmail")] = None
    work_phone: Annotated[str | None, Field(alias="workPhone")] = None


class Created(Resource):
    id: str = ""


class Kind(Resource):
    id: int | str | None = None
    name: str | None = None


class Status(Resource):
    status: str | None = None
    last_changed: Annotated[str | None, Field(alias="lastChanged")] = None


class Amount(Resource):
    unit: str | None = None
    amount: float | str | None = None


class TimeOff(Resource):
    id: int | str = ""
    employee_id: Annotated[int | str | None, Field(alias="employeeId")] = None
    name: str | None = None
    start: str | None = None
    end: str | None = None
    status: Status | None = None
    type: Kind | None = None
    amount: Amount | None = None
    notes: Any = None


class Away(Resource):
    type: str | None = None
    employee_id: Annotated[int | None, Field(alias="employeeId")] = None
    name: str | None = None
    start: str | None = None
    end: str | None = None


class Balance(Resource):
    type_id: Annotated[str | None, Field(alias="timeOffType")] = None
    name: str | None = None
    units: str | None = None
    balance: str | float | None = None
    end: str | None = None
    used_this_year: Annotated[str | float | None, Field(alias="usedYearToDate")] = None


class EmployeeField(Resource):
    id: str | int = ""
    name: str = ""
    type: str = ""
    alias: str | None = None


class User(Resource):
    id: int | str | None = None
    employee_id: Annotated[int | None, Field(alias="employeeId")] = None
    first_name: Annotated[str | None, Field(alias="firstName")] = None
    last_name: Annotated[str | None, Field(alias="lastName")] = None
    email: str | None = None
    status: str | None = None


class BambooHR(Integration):
    """A company at BambooHR."""

    class Config(Integration.Config):
        """Which company, and who signs in."""

        password: ClassVar[str] = "x"  # noqa: S105 - BambooHR reads the key alone, and wants any word here
        base_url: str = Field(description="https://NAME.bamboohr.com")
        api_key: SecretStr

    sign_in = Basic("api_key", "password")
    headers: ClassVar[dict[str, str]] = {"Accept": "application/json"}
    rate = Rate(5)

    async def health_check(self) -> None:
        await self.list_fields()

    @get("/api/v1/employees/directory", place="employees")
    async def list_directory(self) -> list[Employee]:
        """List the employees of the company: the staff directory, with phone numbers and addresses."""

    @get("/api/v1/employees/{id}")
    async def get_employee(
        self,
        id: EmployeeId,
        fields: Annotated[
            list[str], Field(min_length=1, max_length=400, description="from list_fields")
        ] = _FIELDS,
    ) -> dict[str, Any]:
        """Look at an employee's record: job, department, manager, phone number, hire date."""

    @operation()
    async def add_employee(
        self,
        first_name: Annotated[str, Field(min_length=1)],
        last_name: Annotated[str, Field(min_length=1)],
        work_email: Email | None = None,
        job_title: str | None = None,
        department: str | None = None,
        hire_date: Date | None = None,
        more: Annotated[dict[str, Any] | None, Field(description="other fields, by name")] = None,
    ) -> Created:
        """Add a new employee: a hire who starts."""
        named = {
            "firstName": first_name,
            "lastName": last_name,
            "workEmail": work_email,
            "jobTitle": job_title,
            "department": department,
            "hireDate": hire_date,
        }
        said = {name: value for name, value in named.items() if value is not None} | (more or {})
        answered = await self.http.send(Request(method="POST", path="/api/v1/employees", json=said))
        return Created(id=urlsplit(answered.headers.get("location", "")).path.rpartition("/")[2])

    @post("/api/v1/employees/{id}", idempotent=True)
    async def update_employee(
        self,
        id: EmployeeId,
        fields: Annotated[
            dict[str, Any],
            Field(min_length=1, description="only what changes, such as jobTitle or department"),
            Sent(where="whole_body"),
        ],
    ) -> None:
        """Change an employee's record: a promotion, a new address, another department."""

    @get("/api/v1/time_off/requests")
    async def list_time_off_requests(
        self,
        start: Date,
        end: Date,
        status: Annotated[
            list[Literal["approved", "denied", "requested", "canceled"]] | None,
            Field(min_length=1),
        ] = None,
        employee_id: Annotated[EmployeeId | None, Sent("employeeId")] = None,
        action: Annotated[
            Literal["view", "approve", "myRequests"] | None, Field(description="approve: those I may decide")
        ] = None,
    ) -> list[TimeOff]:
        """List requests for time off, vacation and sick leave, between two days."""

    @operation()
    async def create_time_off_request(
        self,
        employee_id: EmployeeId,
        start: Date,
        end: Date,
        type_id: Annotated[int, Field(ge=1, description="kind of leave, from estimate_time_off_balance")],
        amount: Annotated[float | None, Field(gt=0, description="days or hours, as the kind counts")] = None,
        note: str | None = None,
        status: Annotated[
            Literal["requested", "approved"], Field(description="approved: nobody is asked")
        ] = "requested",
    ) -> TimeOff | None:
        """Request time off for an employee: vacation, holiday, sick leave."""
        notes = [{"from": "employee", "note": note}] if note else None
        return await self._request(
            employee=employee_id,
            start=start,
            end=end,
            kind=type_id,
            amount=amount,
            notes=notes,
            status=status,
        )

    @put("/api/v1/employees/{employee}/time_off/request", idempotent=False)
    async def _request(
        self,
        employee: int,
        start: str,
        end: str,
        kind: Annotated[int, Sent("timeOffTypeId")],
        status: str,
        amount: float | None = None,
        notes: list[dict[str, str]] | None = None,
    ) -> TimeOff | None:
        """A request as BambooHR takes it."""

    @put("/api/v1/time_off/requests/{request_id}/status")
    async def change_time_off_status(
        self,
        request_id: RequestId,
        status: Literal["approved", "denied", "canceled"],
        note: str | None = None,
    ) -> None:
        """Approve, deny or cancel a request for time off."""

    @get("/api/v1/time_off/whos_out")
    async def list_whos_out(self, start: Date | None = None, end: Date | None = None) -> list[Away]:
        """List who is out of office: on vacation or leave, and company holidays; by default for two weeks."""

    @get("/api/v1/employees/{employee_id}/time_off/calculator")
    async def estimate_time_off_balance(
        self,
        employee_id: EmployeeId,
        end: Annotated[Date | None, Field(description="as of that day; left out: today")] = None,
    ) -> list[Balance]:
        """Say how many vacation days an employee has left, by kind of leave."""

    @get("/api/v1/meta/fields")
    async def list_fields(self) -> list[EmployeeField]:
        """List the fields that an employee's record has."""

    @get("/api/v1/meta/users")
    async def list_users(self) -> dict[str, User]:
        """List the people who can sign in to BambooHR."""
