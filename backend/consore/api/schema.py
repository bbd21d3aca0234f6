"""The whole schema: each noun's fields under Query, Mutation and Subscription."""

from __future__ import annotations

import datetime as dt
from typing import Any

import strawberry
from graphql import GraphQLError
from strawberry.schema.config import StrawberryConfig
from strawberry.types import ExecutionContext

from consore.api.account import AccountMutation, AccountQuery
from consore.api.centre import CentreQuery
from consore.api.cohort import CohortQuery
from consore.api.document import DocumentQuery
from consore.api.export import ExportMutation
from consore.api.federation import FederationMutation, FederationQuery
from consore.api.guard import unguarded_fields
from consore.api.kept_cohort import KeptCohortMutation, KeptCohortQuery
from consore.api.limits import extensions
from consore.api.patient import PatientQuery
from consore.api.referential import ReferentialMutation, ReferentialQuery
from consore.api.review import ReviewMutation, ReviewQuery
from consore.api.run import RunMutation, RunQuery, RunSubscription
from consore.api.saved_query import SavedQueryMutation, SavedQueryQuery
from consore.api.scalars import DATE_TIME
from consore.api.schedule import ScheduleQuery
from consore.api.search import SearchQuery
from consore.api.session import SessionMutation, SessionQuery
from consore.api.source import SourceMutation, SourceQuery
from consore.api.trial import TrialMutation, TrialQuery


@strawberry.type
class Query(
    AccountQuery,
    ReferentialQuery,
    SourceQuery,
    ScheduleQuery,
    RunQuery,
    FederationQuery,
    CohortQuery,
    KeptCohortQuery,
    TrialQuery,
    DocumentQuery,
    ReviewQuery,
    PatientQuery,
    SearchQuery,
    SavedQueryQuery,
    CentreQuery,
    SessionQuery,
):
    """Everything that can be asked."""


@strawberry.type
class Mutation(
    AccountMutation,
    ReferentialMutation,
    SourceMutation,
    RunMutation,
    FederationMutation,
    KeptCohortMutation,
    TrialMutation,
    ExportMutation,
    ReviewMutation,
    SavedQueryMutation,
    SessionMutation,
):
    """Everything that can be changed."""


@strawberry.type
class Subscription(RunSubscription):
    """Everything that can be followed."""


class Schema(strawberry.Schema):
    """Errors are logged by `limits.TellErrors`, with the number that the user is told; not a second time here."""

    def process_errors(self, errors: list[GraphQLError], execution_context: ExecutionContext | None = None) -> None:
        """Nothing more to do."""


def _extensions() -> list[Any]:
    """Each operation has its own extensions, since they remember the operation."""
    return [lambda kind=kind, options=options: kind(**options) for kind, options in extensions()]


if unguarded := unguarded_fields(Query, Mutation, Subscription):
    raise RuntimeError(f"These fields do not say who may ask them: {', '.join(unguarded)}.")

schema = Schema(
    query=Query,
    mutation=Mutation,
    subscription=Subscription,
    extensions=_extensions(),
    config=StrawberryConfig(scalar_map={dt.datetime: DATE_TIME}, disable_field_suggestions=True),
)


def sdl() -> str:
    """The schema in GraphQL's own language, the same text as `backend/schema.graphql`."""
    return schema.as_str().rstrip() + "\n"
