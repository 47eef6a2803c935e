"""Put the demo fleet on the map, and one of its devices on a floor plan."""

import io
from typing import Any

from django.contrib.gis.geos import Point
from django.core.management.base import BaseCommand
from django.db import transaction
from django.utils.text import slugify
from PIL import Image, ImageDraw

from controller.accounts.models import Organization, Site
from controller.accounts.rules.sites import create_site
from controller.devices.models import Device
from controller.devices.rules import change_device
from geo.models import Location
from geo.rules.device_locations import place_device
from geo.rules.locations import create_floor_plan, create_location

# Address, longitude and latitude, by the first word of a device's name.
PLACES = {
    "lisbon": ("Praça do Comércio, Lisboa, Portugal", -9.1366, 38.7075),
    "oslo": ("Rådhusplassen 1, Oslo, Norway", 10.7337, 59.9113),
    "nairobi": ("City Hall Way, Nairobi, Kenya", 36.8219, -1.2864),
    "lima": ("Plaza Mayor, Lima, Peru", -77.0301, -12.0459),
    "osaka": ("Nakanoshima 1, Osaka, Japan", 135.5019, 34.6937),
}
ATLANTIC = -35.0
SIZE = (900, 600)
INK = "#475569"
# Walls: left, top, right and bottom edge in pixels.
ROOMS = [
    (40, 40, 340, 260, "Reception"), (340, 40, 620, 260, "Meeting"),
    (620, 40, 860, 560, "Workshop"), (40, 360, 340, 560, "Office"),
    (340, 360, 620, 560, "Server room"),
]  # fmt: skip


class Command(BaseCommand):
    help = "Puts the demo devices on the map, once."

    @transaction.atomic
    def handle(self, *args: Any, **options: Any) -> None:
        devices = Device.objects.filter(organization__slug="demo", place__isnull=True)
        for device in devices.select_related("organization"):
            town = device.name.partition("-")[0]
            if town in PLACES:
                put(device, town.capitalize(), *PLACES[town])
        self.stdout.write("The demo devices are on the map.")


def site_of(organization: Organization, longitude: float) -> Site:
    """Return the site of a town's devices, chosen by the side of the Atlantic."""
    name = "Americas" if longitude < ATLANTIC else "Europe, Africa and Asia"
    found = Site.objects.filter(organization=organization, name=name).first()
    return found or create_site(organization=organization, name=name, slug=slugify(name))


def put(device: Device, town: str, address: str, longitude: float, latitude: float) -> None:
    location = create_location(
        organization=device.organization,
        name=town,
        type=Location.Type.INDOOR,
        address=address,
        geometry=Point(longitude, latitude, srid=4326),
    )
    change_device(device, site=site_of(device.organization, longitude))
    if town != "Lisbon":
        place_device(device, location=location)
        return
    plan = create_floor_plan(location=location, floor=0, image=drawn())
    place_device(device, location=location, floorplan=plan, indoor="-450,480")


def drawn() -> io.BytesIO:
    """Return a drawing of an office's floor plan as a file."""
    image = Image.new("RGB", SIZE, "white")
    pen = ImageDraw.Draw(image)
    for left, top, right, bottom, name in ROOMS:
        pen.rectangle((left, top, right, bottom), fill="#f8fafc", outline=INK, width=6)
        pen.text((left + 20, top + 16), name, fill=INK, font_size=20)
        # A door.
        pen.line((left + 60, bottom, left + 130, bottom), fill="white", width=8)
    out = io.BytesIO()
    image.save(out, "PNG")
    out.seek(0)
    return out
