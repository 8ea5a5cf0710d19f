"""Plain words find the operation that was meant."""

import pytest

from wand_server.integrations import speech
from wand_server.integrations.finding import Search, Text
from wand_server.integrations.speech import said

SEARCH = Search(
    [
        Text(
            name="slack.send_message",
            parts=(("send message", 2), ("Send a message to a channel.", 1.5), ("slack", 1.5)),
        ),
        Text(
            name="slack.list_users",
            parts=(("list users", 2), ("List the people of the workspace.", 1.5), ("slack", 1.5)),
        ),
        Text(
            name="github.create_issue", parts=(("create issue", 2), ("Open an issue.", 1.5), ("github", 1.5))
        ),
        Text(
            name="github.list_issues", parts=(("list issues", 2), ("List the issues.", 1.5), ("github", 1.5))
        ),
        Text(
            name="jira.create_issue",
            parts=(("create issue", 2), ("Create an issue.", 1.5), ("jira tickets", 1.5)),
        ),
    ]
)


@pytest.mark.parametrize(
    ("query", "first"),
    [
        ("post something in the channel", "slack.send_message"),
        ("who are the people on slack?", "slack.list_users"),
        ("make a new jira ticket", "jira.create_issue"),
        ("show me all bugs on GitHub", "github.list_issues"),
        ("open an issue at github please", "github.create_issue"),
    ],
)
def test_plain_words_find_it(query: str, first: str) -> None:
    assert SEARCH.find(query)[0] == first


def test_of_services_that_share_a_word_the_one_is_meant_that_is_named_whole() -> None:
    names = ("google_drive.list_files", "google_calendar.list_events", "onedrive.list_files")
    called = (("google drive",), ("google calendar",), ("one drive",))
    search = Search(
        [
            Text(name=name, parts=(("list", 1.0),), names=each)
            for name, each in zip(names, called, strict=True)
        ]
    )
    assert search.find("google calendar list")[0] == "google_calendar.list_events"
    assert search.find("list on google drive")[0] == "google_drive.list_files"


@pytest.mark.parametrize(
    ("query", "little", "much"),
    [
        ('commit it with the message "fix a typo"', "typo", "commit"),
        ("open an issue about this: search is slow", "slow", "issu"),
        ("pods in the payments namespace", "payment", "pod"),
    ],
)
def test_what_only_stands_in_it_counts_little(query: str, little: str, much: str) -> None:
    words = speech.asked(query)
    assert words[little] <= 0.5 < words[much]


def test_names_that_are_made_up_are_no_words() -> None:
    assert "web" not in speech.asked("evict pod web-5d8f")
    assert "web" in speech.asked("evict pod web-front")


def test_teams_and_a_team_are_two_things() -> None:
    names = ("teams.send_message", "discord.send_message")
    search = Search(
        [Text(name=name, parts=(("send message", 2.0),), names=(name.split(".")[0],)) for name in names]
    )
    assert search.find("send my team a message on discord")[0] == "discord.send_message"
    assert search.find("send a message on teams")[0] == "teams.send_message"


def test_what_many_services_do_names_none_of_them() -> None:
    search = Search(
        [
            Text(name="web_search.search_web", parts=(("search web", 2.0),), names=("web search",)),
            Text(
                name="jira.search_issues", parts=(("search issues", 2.0), ("tickets", 1.0)), names=("jira",)
            ),
        ]
    )
    assert search.find("search the tickets")[0] == "jira.search_issues"


def test_what_shares_no_word_is_left_out() -> None:
    assert SEARCH.find("weather tomorrow") == []
    assert SEARCH.find("") == []
    assert Search([]).find("anything") == []


def test_the_same_words_give_the_same_order() -> None:
    assert SEARCH.find("issue") == SEARCH.find("ISSUES!")


def test_endings_do_not_count() -> None:
    assert list(said("Deployments deployed, deploying the channels")) == [
        "deploy",
        "deploy",
        "deploy",
        "channel",
    ]


@pytest.mark.parametrize(
    ("query", "counts"),
    [
        ("get rid of it", ["remov"]),
        ("hand the ticket over to Sam", ["assign", "ticket", "sam"]),
        ("move PROJ-12 along", ["jira", "mov"]),
        ("look into INC0012345", ["servicenow"]),
        ("open the PR", ["pullrequest"]),
        ("who committed it", ["who", "commit"]),
        ("comment on the black one", ["comment", "black"]),
    ],
)
def test_phrases_marks_and_endings_are_read_as_they_are_meant(query: str, counts: list[str]) -> None:
    words = speech.asked(query)
    assert [word for word in counts if words.get(word, 0) < 0.8] == []
