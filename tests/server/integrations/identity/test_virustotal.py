"""VirusTotal: how it names a URL, and that of seventy verdicts those stay that find something."""

from pydantic import SecretStr

from support.foreign import Says, serving
from wand_server.integrations.identity.virustotal import VirusTotal

FOUND = {
    "last_analysis_stats": {"malicious": 1, "undetected": 1},
    "last_analysis_results": {
        "A": {"category": "malicious", "result": "Trojan.X"},
        "B": {"category": "undetected", "result": None},
    },
    "popular_threat_classification": {"suggested_threat_label": "trojan.x"},
    "url": "http://example.com/",
}


async def test_a_url_goes_by_its_identifier_and_bad_verdicts_stay() -> None:
    async with serving(Says(body={"data": {"id": "x", "attributes": FOUND}})) as service:
        virustotal = VirusTotal(VirusTotal.Config(base_url=service.url, api_key=SecretStr("key")))
        try:
            told = await virustotal.execute("get_url_report", {"url": "http://example.com/?a=b"})
        finally:
            await virustotal.cleanup()
    asked = service.asked[-1]
    assert asked.path == "/urls/aHR0cDovL2V4YW1wbGUuY29tLz9hPWI"
    assert asked.headers["x-apikey"] == "key"
    assert told == {
        "counts": {"malicious": 1, "undetected": 1},
        "verdicts": {"A": "Trojan.X"},
        "threat": "trojan.x",
        "url": "http://example.com/",
    }
