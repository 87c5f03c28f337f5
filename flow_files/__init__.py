"""Flows as data: their shape, the closed list of actions, reading with errors by line, and choosing.

`menu_flows` walks what this room has read; admins' forms read published flows with `read_flow`;
`flow_actions` does what ACTIONS lists. It never walks a flow and never does an action.
"""

from flow_files.actions import ACTIONS, Action, Argument
from flow_files.mistakes import Code, FlowError, Mistake, Problem
from flow_files.problems import CONTEXT_NAMES
from flow_files.reading import FLOWS_DIR, load_flow, load_flows, read_flow, shipped
from flow_files.scenes import EXPECTATIONS, Entry, Flow, Listing, Option, Scene, Step, Words, WordsOrText

__all__ = [
    "ACTIONS",
    "CONTEXT_NAMES",
    "EXPECTATIONS",
    "FLOWS_DIR",
    "Action",
    "Argument",
    "Code",
    "Entry",
    "Flow",
    "FlowError",
    "Listing",
    "Mistake",
    "Option",
    "Problem",
    "Scene",
    "Step",
    "Words",
    "WordsOrText",
    "load_flow",
    "load_flows",
    "read_flow",
    "shipped",
]
