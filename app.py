"""MAGneT Explorer: the frame of all pages and the order they stand in. Start it with `streamlit run app.py`."""

from __future__ import annotations

import logging
from pathlib import Path

import streamlit as st
from starlette.requests import Request
from starlette.responses import RedirectResponse
from starlette.routing import Route
from streamlit import runtime
from streamlit.navigation.page import Page

from ui import state, theme

HERE = Path(__file__).parent
DESK = "Rating desk"
"""What raters who must not know a method's name read in place of the project's."""


def pages() -> dict[str, list[Page]]:
    """Return the pages by section, in order; page files stand one folder deep and are named as their addresses."""
    return {
        "Watch": [
            st.Page("pages/watch/session.py", title="Session", icon=":material/forum:", default=True),
            st.Page("pages/watch/clients.py", title="Clients", icon=":material/groups:"),
            st.Page("pages/watch/library.py", title="Library", icon=":material/collections_bookmark:"),
        ],
        "Judge": [
            st.Page("pages/judge/scores.py", title="Scores", icon=":material/fact_check:"),
            st.Page("pages/judge/compare.py", title="Compare", icon=":material/compare_arrows:"),
            st.Page("pages/judge/review.py", title="Review", icon=":material/rate_review:"),
        ],
        "Lab": [
            st.Page("pages/lab/prompts.py", title="Prompts", icon=":material/science:"),
            st.Page("pages/lab/trace.py", title="Trace", icon=":material/query_stats:"),
        ],
        "Set up": [st.Page("pages/setup/models.py", title="Models", icon=":material/tune:")],
    }


def desk_alone() -> list[Page]:
    """Return the rater's desk as the only page, under its own address and, since one page must be there, at the root."""
    desk, icon = "pages/judge/review.py", ":material/rate_review:"
    return [
        st.Page(desk, title=DESK, icon=icon, url_path="review"),
        st.Page(desk, title=DESK, icon=icon, url_path="desk", default=True),
    ]


async def to_root(request: Request) -> RedirectResponse:
    """Lead the address /session, query and all, to the session page, which lives at the root."""
    return RedirectResponse(f"/?{request.url.query}" if request.url.query else "/")


if not runtime.exists():
    # The server reads this file once before its first visitor. Naming the pages here already keeps a deep link that comes
    # first from being "not found": until then, a folder called `pages` means Streamlit's old kind of pages.
    logging.disable(logging.WARNING)
    st.navigation(pages(), position="top")
    app = st.App(__file__, routes=[Route("/session", to_root)])
    logging.disable(logging.NOTSET)
else:
    if state.desk.alone():
        st.set_page_config(page_title=DESK, page_icon=":material/rate_review:", layout="wide")
        page = st.navigation(desk_alone(), position="hidden")
    else:
        st.set_page_config(page_title="MAGneT Explorer", page_icon=str(HERE / "ui" / "favicon.svg"), layout="wide")
        page = st.navigation(pages(), position="top")
        st.logo(str(HERE / "ui" / "logo.svg"), size="large")
    st.html(theme.stylesheet(st.context.theme.type == "dark"))
    st.html(f'<div class="notice" role="note">{theme.NOTICE}</div>')
    page.run()
    state.warm_up()
