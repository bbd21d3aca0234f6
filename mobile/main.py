"""Start the app: `python mobile/main.py --server https://consore.my-centre.fr`."""

from __future__ import annotations

import argparse
import os
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))

from consore_mobile import __version__
from consore_mobile.window import PHONE, TABLET, prepare


def main() -> None:
    """Read the options, open the window, run until it closes."""
    parser = argparse.ArgumentParser(description="Consore, the physician's app.")
    parser.add_argument("--server", default=os.environ.get("CONSORE_MOBILE_SERVER", ""), help="address of the server")
    parser.add_argument("--ca", default=os.environ.get("CONSORE_MOBILE_CA"), help="certificate authority (PEM file)")
    parser.add_argument("--tablet", action="store_true", help="open a window as large as a tablet")
    parser.add_argument("--version", action="version", version=__version__)
    options, _ = parser.parse_known_args()
    prepare(TABLET if options.tablet else PHONE)

    from consore_mobile.app import ConsoreApp

    ConsoreApp(server=options.server, authority=Path(options.ca) if options.ca else None).run()


if __name__ == "__main__":
    main()
