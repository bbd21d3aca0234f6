"""What the journeys share: a hand on the app, and two real centres that live as long as the session."""

from app_network import two_centres
from kivy_driver import open_app

__all__ = ["open_app", "two_centres"]
