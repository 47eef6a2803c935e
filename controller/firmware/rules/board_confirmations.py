"""Boards of images without metadata, each confirmed by a person."""

from django.utils.translation import gettext

from controller.accounts.models import User
from controller.base.errors import Conflict, Refused
from controller.firmware.engine.metadata import BOARD
from controller.firmware.models import Image, ImageBoard


def confirm_board(image: Image, *, board: str, user: User) -> ImageBoard:
    """Record that a person vouches for an image without metadata on this board."""
    if image.has_metadata:
        raise Conflict(
            gettext("The image names its devices itself; nothing can be added to them.")
        )
    if BOARD.fullmatch(board) is None:
        raise Refused({"board": [gettext("A board has a name such as pc-engines-apu2.")]})
    row, _ = ImageBoard.objects.get_or_create(
        image=image, name=board, defaults={"confirmed_by": user}
    )
    return row
