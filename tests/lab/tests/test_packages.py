# Copyright (c) 2026, the prositronic.infra contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Packages reach hosts: Debian's own through the cache, stand-ins from signed repositories, apt's and dnf's real code."""

from __future__ import annotations

import pytest
from lab.services.recipes import Package
from lab.services.rpm_repository import DISGUISED_AS_ROCKY

ADD_REPOSITORY = """
- hosts: all
  gather_facts: false
  tasks:
    - name: No other source
      ansible.builtin.file:
        path: /etc/apt/sources.list
        state: absent
    - name: Key
      ansible.builtin.get_url:
        url: "{{ key_url }}"
        dest: /etc/apt/keyrings/stand-in.asc
        force: true
        mode: "0644"
    - name: Source
      ansible.builtin.copy:
        dest: /etc/apt/sources.list.d/stand-in.sources
        content: |
          Types: deb
          URIs: {{ url }}
          Suites: ./
          Signed-By: /etc/apt/keyrings/stand-in.asc
        mode: "0644"
    - name: Install
      ansible.builtin.apt:
        name: "{{ packages }}"
        update_cache: true
        update_cache_retries: 1
        allow_downgrade: true
        state: present
"""


def tool(version):
    """Two packages that depend on each other's exact version."""
    return (
        Package("standin-library", version, files={"/usr/lib/standin/library": version}),
        Package(
            "standin-tool",
            version,
            depends=[f"standin-library (= {version})"],
            files={"/usr/bin/standin-tool": f"#!/bin/sh\necho {version}\n"},
            scripts={"postinst": "echo configured > /var/lib/standin-configured"},
        ),
    )


def test_debian_packages_through_the_cache(lab):
    early = lab.host("early", "bookworm")
    lab.package_cache()
    late = lab.host("late", "forky")
    play = lab.play("""
- hosts: all
  gather_facts: false
  tasks:
    - name: Install
      ansible.builtin.apt:
        name: hello
        update_cache: true
""")
    assert play.changed == 2
    for host in (early, late):
        assert host.run("hello").stdout == "Hello, world!\n"


@pytest.mark.parametrize("suite", ["bookworm", "forky"])
def test_a_signed_apt_repository(lab, suite):
    host = lab.host("web", suite)
    repository = lab.apt_repository()
    repository.publish(*tool("1.0-1"))

    def install(*packages, **options):
        return lab.play(
            ADD_REPOSITORY,
            variables={"url": repository.url, "key_url": repository.key_url, "packages": list(packages)},
            **options,
        )

    assert install("standin-tool").changed == 4
    assert host.run("standin-tool").stdout == "1.0-1\n"
    assert host.read("/var/lib/standin-configured") == "configured\n"
    assert "made for tests" in host.run("dpkg-query -W -f '${Description}' standin-tool").stdout
    assert install("standin-tool").changed == 0
    repository.publish(*tool("1.1-1"))
    install("standin-tool=1.1-1", "standin-library=1.1-1")
    assert host.run("standin-tool").stdout == "1.1-1\n"
    install("standin-tool=1.0-1", "standin-library=1.0-1")
    assert host.run("standin-tool").stdout == "1.0-1\n"
    repository.withdraw("standin-tool", "1.1-1")
    assert not install("standin-tool=1.1-1", must_pass=False).passed


def test_an_apt_repository_signed_by_another_key_is_refused(lab):
    lab.host("web")
    repository = lab.apt_repository()
    repository.publish(*tool("1.0-1"))
    repository.replace_key(publish=False)
    play = lab.play(
        ADD_REPOSITORY,
        variables={"url": repository.url, "key_url": repository.key_url, "packages": ["standin-tool"]},
        must_pass=False,
    )
    assert not play.passed
    repository.replace_key()
    assert lab.play(
        ADD_REPOSITORY,
        variables={"url": repository.url, "key_url": repository.key_url, "packages": ["standin-tool"]},
    ).passed


def test_a_signed_rpm_repository_on_a_debian_host_disguised_as_rocky(lab):
    host = lab.host("rocky", **DISGUISED_AS_ROCKY)
    repository = lab.rpm_repository()
    library, command = tool("1.0-1")
    repository.publish(library, Package(command.name, command.version, ["standin-library = 1.0-1"], command.files))
    play = lab.play(
        """
- hosts: all
  tasks:
    - name: Who
      ansible.builtin.debug:
        msg: "{{ ansible_facts['os_family'] }} {{ ansible_facts['pkg_mgr'] }} {{ ansible_facts['distribution'] }}"
    - name: Repository
      ansible.builtin.yum_repository:
        name: stand-in
        description: Stand-in
        baseurl: "{{ url }}"
        gpgkey: "{{ key_url }}"
        gpgcheck: true
        repo_gpgcheck: true
    - name: Key
      ansible.builtin.rpm_key:
        key: "{{ key_url }}"
    - name: Install
      ansible.builtin.dnf:
        name: standin-tool
""",
        variables={"url": repository.url, "key_url": repository.key_url},
    )
    assert play.task("Who")["msg"].startswith("RedHat dnf")
    assert host.run("standin-tool").stdout == "1.0-1\n"
    assert "a disguise" in host.read("/etc/os-release")
    listed = host.run("rpm -q --queryformat '%{RSAHEADER:pgpsig} %{SUMMARY}' standin-tool").stdout
    assert repository.key.fingerprint[-16:].lower() in listed
    assert listed.endswith("Stand-in for standin-tool, made for tests")
