"""Inventory for Ansible and service discovery for Prometheus."""

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from rest_framework.test import APIClient

from controller.accounts.models import Organization, User
from controller.configs.rules import devices
from tests import factories

pytestmark = pytest.mark.django_db
ROOT = "/api/v1/controller/inventory/"
Api = Callable[[User | None], APIClient]


@pytest.fixture
def viewer(organization: Organization) -> User:
    return factories.user(organization, "viewer")


def test_ansible_finds_hosts_groups_and_addresses(
    api: Api, viewer: User, organization: Organization
) -> None:
    group = factories.group(organization, name="Access points")
    factories.device(
        organization, name="ap-1", management_ip="10.0.0.1", group=group, config={}
    )
    factories.device(organization, name="ap-2")
    gone = factories.device(organization, name="ap-3")
    devices.deactivate(gone)
    factories.device(factories.organization(), name="foreign")
    found = api(viewer).get(f"{ROOT}ansible/").json()
    assert found["all"]["hosts"] == ["ap-1", "ap-2"]
    assert found["group_access_points"]["hosts"] == ["ap-1"]
    assert found["backend_openwrt"]["hosts"] == ["ap-1"]
    assert found["_meta"]["hostvars"]["ap-1"]["ansible_host"] == "10.0.0.1"
    assert "ansible_host" not in found["_meta"]["hostvars"]["ap-2"]
    assert set(found["all"]["children"]) <= set(found)


def test_devices_of_the_same_name_are_two_hosts(api: Api, admin: User) -> None:
    for _ in range(2):
        factories.device(factories.organization(), name="ap-1")
    assert len(api(admin).get(f"{ROOT}ansible/").json()["_meta"]["hostvars"]) == 2


def test_prometheus_finds_targets(api: Api, viewer: User, organization: Organization) -> None:
    factories.device(organization, name="ap-1", management_ip="10.0.0.1")
    factories.device(organization, name="ap-2", management_ip="fd00::2")
    (first, second) = api(viewer).get(f"{ROOT}prometheus/", {"port": "9273"}).json()
    assert first["targets"] == ["10.0.0.1:9273"]
    assert second["targets"] == ["[fd00::2]:9273"]
    assert first["labels"]["__meta_muster_name"] == "ap-1"
    assert first["labels"]["__meta_muster_organization"] == organization.slug
    assert all(isinstance(value, str) for value in first["labels"].values())


@pytest.mark.parametrize("port", ["0", "65536", "x", "-1", "²"])
def test_a_port_is_a_number(port: str, api: Api, viewer: User) -> None:
    assert api(viewer).get(f"{ROOT}prometheus/", {"port": port}).status_code == 400


def test_they_are_filtered_as_the_list_is(api: Api, admin: User) -> None:
    one, other = factories.organization(), factories.organization()
    factories.device(one, name="ap-1", management_ip="10.0.0.1")
    factories.device(other, name="ap-2", management_ip="10.0.0.1")
    chosen = {"organization_slug": one.slug}
    assert api(admin).get(f"{ROOT}ansible/", chosen).json()["all"]["hosts"] == ["ap-1"]
    assert len(api(admin).get(f"{ROOT}prometheus/", chosen).json()) == 1
    assert api(admin).get(f"{ROOT}ansible/", {"organization": "x"}).status_code == 400


@pytest.mark.parametrize("name", ["ansible", "prometheus"])
def test_a_large_fleet_costs_as_many_queries_as_a_small_one(
    name: str,
    api: Api,
    viewer: User,
    organization: Organization,
    django_assert_num_queries: Any,
) -> None:
    client = api(viewer)
    client.get(f"{ROOT}{name}/")
    for _ in range(2):
        for _ in range(5):
            factories.device(organization, config={}, management_ip="10.0.0.1")
        with django_assert_num_queries(3):
            client.get(f"{ROOT}{name}/")


def test_ansible_itself_takes_it(tmp_path: Path, api: Api, viewer: User) -> None:
    factories.device(
        viewer.memberships.get().organization, name="ap-1", management_ip="10.0.0.1"
    )
    script = tmp_path / "muster"
    answer = api(viewer).get(f"{ROOT}ansible/").content.decode()
    script.write_text(f"#!/bin/sh\ncat <<'END'\n{answer}\nEND\n")
    script.chmod(0o755)
    done = subprocess.run(
        [Path(sys.executable).with_name("ansible-inventory"), "-i", str(script), "--host", "ap-1"],
        check=True, capture_output=True, text=True, env=os.environ | {"HOME": str(tmp_path)},
    )  # fmt: skip
    assert json.loads(done.stdout)["ansible_host"] == "10.0.0.1"
