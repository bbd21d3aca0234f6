"""Who asks: the account behind a request, and whether it may."""

from __future__ import annotations

from dataclasses import dataclass

from consore.access.permission import Permission, role_permissions
from consore.errors import Forbidden, NotSignedIn
from consore.model import Role


@dataclass(slots=True, frozen=True)
class Principal:
    """A signed-in account. `session` names the family of refresh tokens that it came with."""

    account_id: int
    login: str
    name: str
    role: Role
    session: str = ""

    def may(self, permission: Permission) -> bool:
        """Whether the role holds `permission`."""
        return permission in role_permissions()[self.role]


def require(principal: Principal | None, *any_of: Permission) -> None:
    """Let through who holds one of `any_of`.

    Raises NotSignedIn where nobody is signed in, Forbidden where the role holds none of them.
    """
    if Permission.ANYONE in any_of:
        return
    if principal is None:
        raise NotSignedIn("Nobody is signed in, or the session has ended.", "Sign in and try again.")
    if not any(principal.may(permission) for permission in any_of):
        raise Forbidden(f"The role {principal.role.value} does not allow this.", "Ask the administrator of the centre.")
