"""`consore demo --once`: each promise asked of the running network over HTTP, a sample of each answer printed."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import httpx

from consore.cli.screen import console, print_table
from consore.errors import ComponentError
from consore.model import Role

if TYPE_CHECKING:
    from consore.cli.fictional import FictionalCentre
    from consore.cli.running import Network

SEARCH = """query($text: String!) { search(text: $text, perPage: 3) { total milliseconds notice words
  understood { label code negated } criteria hits { why patient { id headline } snippets { html } } } }"""
PATIENT = """query($id: ID!) { patient(id: $id) { ... on Patient { headline
  timeline { lanes { label items { label start end } } }
  tumours { label ctnm ptnm stage evidence { quote } }
  documents(first: 1) { totalCount edges { node { id title } } }
  similar(limit: 3) { score shared different patient { headline } } } } }"""
COUNT = """query($criteria: JSON!) { cohortCount(criteria: $criteria) { ... on CohortCount { count milliseconds }
  ... on InputProblem { message hint } } }"""
NETWORK = """query($criteria: JSON!) { federatedCount(criteria: $criteria) { ... on FederatedCount { total milliseconds
  rows { centreName state count referentName milliseconds message } }
  ... on InputProblem { message hint } } }"""
SOURCES = """{ sources { name kind schedule { frequency hour minute nextRunAt } lastRun { state seen rejected } } }"""
SIGN_IN = """mutation($login: String!, $password: String!) { signIn(login: $login, password: $password) {
  ... on Session { accessToken } ... on InputProblem { message } } }"""


def prove(network: Network, questions: tuple[str, ...]) -> None:
    """Ask everything once; raises ComponentError where an answer is missing."""
    first = network.centres[0]
    with httpx.Client(base_url=first.settings.address, timeout=30) as client:
        physician = _Asker(client, first, Role.PHYSICIAN)
        found: dict[str, Any] = {}
        for question in questions:
            answer = physician.ask(SEARCH, text=question)["search"]
            found = found if found.get("hits") else {**answer, "question": question}
            _print_search(question, answer)
        _require(found.get("hits"), "No patient was found.")
        _print_patient(physician.ask(PATIENT, id=found["hits"][0]["patient"]["id"])["patient"])
        criteria = found["criteria"]
        count = physician.ask(COUNT, criteria=criteria)["cohortCount"]
        _require("count" in count, f"The count was refused: {count}")
        console.print(f"\n[bold]Exact count here[/] — « {found['question']} »: {count['count']} patients")
        _print_network("Every centre", physician.ask(NETWORK, criteria=criteria)["federatedCount"])
        if len(network.centres) > 1:
            stopped = network.centres[-1]
            network.stop(stopped.code)
            _print_network(f"{stopped.name} stopped", physician.ask(NETWORK, criteria=criteria)["federatedCount"])
        _print_sources(_Asker(client, first, Role.ADMIN).ask(SOURCES)["sources"])
    console.print("\n[bold green]Every answer was given.[/]")


class _Asker:
    """A signed-in client of one centre's GraphQL."""

    def __init__(self, client: httpx.Client, centre: FictionalCentre, role: Role) -> None:
        self.client = client
        self.headers: dict[str, str] = {}
        account = next(account for account in centre.accounts if account.role is role)
        session = self.ask(SIGN_IN, login=account.login, password=account.password)["signIn"]
        _require(session.get("accessToken"), f"{account.login} could not sign in: {session.get('message')}")
        self.headers = {"authorization": f"Bearer {session['accessToken']}"}

    def ask(self, query: str, **variables: Any) -> dict[str, Any]:
        response = self.client.post("/graphql", json={"query": query, "variables": variables}, headers=self.headers)
        body = response.json()
        _require("errors" not in body and body.get("data"), f"The API answered {response.status_code}: {body}")
        data: dict[str, Any] = body["data"]
        return data


def _require(value: object, message: str) -> None:
    if not value:
        raise ComponentError(message, "See the logs folder of the centre.")


def _print_search(question: str, answer: dict[str, Any]) -> None:
    console.print(f"\n[bold]« {question} »[/] — {answer['total']} patients ({answer['milliseconds']} ms)")
    chips = " · ".join(("sans " if chip["negated"] else "") + chip["label"] for chip in answer["understood"])
    console.print(
        f"  understood: {chips}" + (f"   words: {' '.join(answer['words'])}" if answer["words"] else ""), markup=False
    )
    for hit in answer["hits"]:
        console.print(f"  {hit['patient']['headline']}", markup=False, soft_wrap=True)
        console.print(f"      {' · '.join(hit['why'][:3])}", style="dim", markup=False, soft_wrap=True)


def _print_patient(patient: dict[str, Any]) -> None:
    console.print(f"\n[bold]The first patient[/] — {patient['headline']}")
    for lane in patient["timeline"]["lanes"]:
        items = ", ".join(
            f"{item['start']}{' → ' + item['end'] if item['end'] else ''} {item['label']}" for item in lane["items"][:4]
        )
        if items:
            console.print(f"  {lane['label']:<18} {items}", markup=False, soft_wrap=True)
    for tumour in patient["tumours"][:1]:
        for evidence in tumour["evidence"][:1]:
            console.print(f"  evidence: « {evidence['quote'][:140]} »", style="dim", markup=False, soft_wrap=True)
    console.print(f"  {patient['documents']['totalCount']} documents")
    console.print("\n[bold]Patients like this one[/]")
    for neighbour in patient["similar"]:
        console.print(f"  {neighbour['score']:.2f}  {neighbour['patient']['headline']}", markup=False, soft_wrap=True)
        console.print(
            f"        shared: {', '.join(neighbour['shared'][:4])}", style="dim", markup=False, soft_wrap=True
        )
        console.print(
            f"        different: {', '.join(neighbour['different'][:3])}", style="dim", markup=False, soft_wrap=True
        )


def _print_network(title: str, answer: dict[str, Any]) -> None:
    _require("rows" in answer, f"The network was not asked: {answer}")
    console.print()
    print_table(
        ["centre", "state", "patients", "referent", "ms", ""],
        [
            [
                row["centreName"],
                row["state"].lower(),
                row["count"] or "–",
                row["referentName"],
                row["milliseconds"],
                row["message"] or "",
            ]
            for row in answer["rows"]
        ],
        title=f"{title} — {answer['total']} ({answer['milliseconds']} ms)",
    )


def _print_sources(sources: list[dict[str, Any]]) -> None:
    console.print()
    print_table(
        ["source", "read", "next", "last run", "seen", "rejected"],
        [
            [
                source["name"],
                source["schedule"]["frequency"].lower(),
                (source["schedule"]["nextRunAt"] or "")[:16].replace("T", " "),
                (source["lastRun"] or {}).get("state", ""),
                (source["lastRun"] or {}).get("seen", 0),
                (source["lastRun"] or {}).get("rejected", 0),
            ]
            for source in sources
        ],
        title="Sources and their schedule",
    )
