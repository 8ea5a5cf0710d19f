"""VirusTotal's API, version 3."""

from base64 import urlsafe_b64encode
from typing import Annotated, Any

from pydantic import AfterValidator, BeforeValidator, Field, SecretStr

from wand_server.integrations.kit import ApiKey, Integration, Rate, Resource, at, get, post

BAD = ("malicious", "suspicious")


def _named(url: str) -> str:
    return urlsafe_b64encode(url.encode()).decode().rstrip("=")  # so the service names a URL


def _bad(results: Any) -> Any:
    """Of what seventy engines say that which is not good."""
    told = results.items() if isinstance(results, dict) else ()
    read = {name: one for name, one in told if isinstance(one, dict)}
    return {name: one.get("result") for name, one in read.items() if one.get("category") in BAD}


Hash = Annotated[str, Field(description="SHA-256, SHA-1, MD5", min_length=32, examples=["0" * 64])]
Url = Annotated[str, Field(description="the whole of it", pattern="^https?://"), AfterValidator(_named)]
Counts = dict[str, int] | None
Verdicts = Annotated[dict[str, str | None] | None, BeforeValidator(_bad), at("last_analysis_results")]


class Report(Resource):
    """What is known of a file, a URL, a domain or an address: of members those that it has."""

    counts: Annotated[Counts, at("last_analysis_stats")] = None  # engines that say malicious, harmless, …
    verdicts: Verdicts = None  # what those that find it bad call it
    threat: Annotated[str | None, at("popular_threat_classification.suggested_threat_label")] = None
    reputation: int | None = None
    tags: list[str] | None = None
    last_analysis_date: int | None = None  # seconds of the Unix clock
    meaningful_name: str | None = None
    type_description: str | None = None
    size: int | None = None
    sha256: str | None = None
    url: str | None = None
    title: str | None = None
    registrar: str | None = None
    categories: dict[str, str] | None = None
    country: str | None = None
    as_owner: str | None = None


class Analysis(Resource):
    id: str | None = None  # for get_analysis
    status: Annotated[str | None, at("attributes.status")] = None
    counts: Annotated[Counts, at("attributes.stats")] = None


class VirusTotal(Integration):
    """VirusTotal, by an account's key."""

    class Config(Integration.Config):
        """Whose key it is."""

        api_key: SecretStr

    base_url = "https://www.virustotal.com/api/v3"
    sign_in = ApiKey("x-apikey")
    rate = Rate(4, per_seconds=60)

    async def health_check(self) -> None:
        await self.get_ip_report("8.8.8.8")

    @get("/files/{hash}", place="data.attributes")
    async def get_file_report(self, hash: Hash) -> Report:
        """Tell whether a file is malware, by its hash: what antivirus engines say of it."""

    @get("/urls/{url}", place="data.attributes")
    async def get_url_report(self, url: Url) -> Report:
        """Tell whether a URL is safe or phishing, as far as it has been scanned."""

    @post("/urls/{url}/analyse", place="data")
    async def rescan_url(self, url: Url) -> Analysis:
        """Have a URL that is known scanned again for malware."""

    @post("/files/{hash}/analyse", place="data")
    async def rescan_file(self, hash: Hash) -> Analysis:
        """Have a file that is known scanned again for viruses, by its hash."""

    @get("/domains/{domain}", place="data.attributes")
    async def get_domain_report(self, domain: str) -> Report:
        """Tell whether a domain is malicious: its reputation, categories and registrar."""

    @get("/ip_addresses/{ip}", place="data.attributes")
    async def get_ip_report(self, ip: str) -> Report:
        """Tell whether an IP address is malicious: its reputation, country and owner."""

    @get("/analyses/{id}", place="data")
    async def get_analysis(self, id: str) -> Analysis:
        """Tell how far a scan is that was asked for, and what it found."""
