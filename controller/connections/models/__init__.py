"""Credentials, device connections, commands and terminals."""

from controller.connections.models.commands import COMMANDS, Command, CommandBatch
from controller.connections.models.connections import Credentials, DeviceConnection
from controller.connections.models.terminals import Terminal, TerminalPart

__all__ = [
    "COMMANDS",
    "Command",
    "CommandBatch",
    "Credentials",
    "DeviceConnection",
    "Terminal",
    "TerminalPart",
]
