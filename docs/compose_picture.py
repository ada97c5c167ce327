"""Take the picture of what docker-compose.yaml lands on, the grid of seven green runs, in a headless Chromium.

Start the services first, by Docker Compose or by docs/compose/run_with_podman.sh, and wait for the runs. Needs Debian's
chromium, and in this Python what the project does not:

    .uv/bin/uv run --with-requirements .ci/browser.txt python docs/compose_picture.py

Look at the picture before it is committed.
"""

from chromium import open_chromium
from pictured import HEIGHT, WIDTH, calm, drag, save
from playwright.sync_api import expect

URL = "http://127.0.0.1:8080"
DAG = "sandbox_dynamics_marketing"


def main() -> None:
    """Take the picture; fails if the page does not show the runs."""
    with open_chromium() as browser:
        page = browser.new_page(viewport={"width": WIDTH, "height": HEIGHT}, color_scheme="light")
        calm(page, f"{URL}/dags/{DAG}", milliseconds=30_000)
        expect(page.get_by_text(DAG).first).to_be_visible(timeout=60_000)
        # The grid has as many columns as there is room for: make some.
        drag(page, 315, 445)
        page.wait_for_timeout(2000)
        save("compose", page.screenshot())


if __name__ == "__main__":
    main()
