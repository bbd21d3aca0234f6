"""What a GraphQL operation may weigh, and what is told of an error."""

from __future__ import annotations

import secrets

import structlog
from graphql import GraphQLError
from strawberry.extensions import MaskErrors, MaxAliasesLimiter, MaxTokensLimiter, QueryDepthLimiter, SchemaExtension

from consore.api.context import RequestContext
from consore.api.journal import told_of
from consore.api.problem import words_of
from consore.errors import ComponentError, ConsoreError

MOST_DEPTH = 12
MOST_ALIASES = 20
MOST_TOKENS = 2000

log = structlog.get_logger("consore.api")

_UNEXPECTED = {
    "fr": "Une erreur inattendue est survenue (n° {id}). Donnez ce numéro à votre administrateur.",
    "en": "Something unexpected went wrong (no. {id}). Give this number to your administrator.",
}


class TellErrors(MaskErrors):
    """Tells what a person can mend, in their language; of all else only a number, which the log explains."""

    def _process_errors(self, errors: list[GraphQLError]) -> list[GraphQLError]:
        context = self.execution_context.context
        language = context.language if isinstance(context, RequestContext) else "fr"
        return [_told(error, language) for error in errors]


def extensions() -> list[tuple[type[SchemaExtension], dict[str, int]]]:
    """The extensions of the schema, the outermost first, with their limits."""
    return [
        (TellErrors, {}),
        (MaxTokensLimiter, {"max_token_count": MOST_TOKENS}),
        (QueryDepthLimiter, {"max_depth": MOST_DEPTH}),
        (MaxAliasesLimiter, {"max_alias_count": MOST_ALIASES}),
    ]


def _told(error: GraphQLError, language: str) -> GraphQLError:
    cause = error.original_error
    if isinstance(cause, ConsoreError):
        if isinstance(cause, ComponentError):
            log.error("component_failed", code=cause.code, message=cause.message, path=error.path)
        message, hint = words_of(cause, language)
        return _error(error, message, {"code": cause.code, "hint": hint})
    if cause is None or isinstance(cause, GraphQLError):
        return _error(error, error.message, {"code": "graphql", **(error.extensions or {})})
    number = secrets.token_hex(4)
    log.error("unexpected_error", id=number, path=error.path, **told_of(cause))
    return _error(error, _UNEXPECTED[language].format(id=number), {"code": "unexpected", "id": number})


def _error(error: GraphQLError, message: str, extra: dict[str, object]) -> GraphQLError:
    return GraphQLError(
        message, nodes=error.nodes, source=error.source, positions=error.positions, path=error.path, extensions=extra
    )
