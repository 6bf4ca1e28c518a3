"""What Ansible runs and copies goes into the namespaces of a process: the first of a container that is booted."""

from __future__ import annotations

import shlex

from ansible.plugins.connection.local import Connection as LocalConnection

DOCUMENTATION = """
name: nsenter
short_description: into the namespaces of a process
description: [As root, on the machine where the process runs.]
author: The sipbridge authors
options:
  pid:
    description: The process.
    type: int
    required: true
    vars:
      - name: nsenter_pid
"""


class Connection(LocalConnection):
    """The local connection, in other namespaces."""

    transport = "nsenter"

    def exec_command(self, cmd, in_data=None, sudoable=True):  # noqa: ANN001, ANN201, D102 - as the base class has it
        enter = ["nsenter", "--target", str(self.get_option("pid")), "--mount", "--pid", "--uts", "--ipc", "--net"]
        # As whoever logs in would have it.
        clean = ["env", "--ignore-environment", "HOME=/root", "USER=root", "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin"]
        return super().exec_command(shlex.join([*enter, "--", *clean, "/bin/sh", "-c", cmd]), in_data, sudoable)

    def put_file(self, in_path, out_path):  # noqa: ANN001, ANN201, D102
        return super().put_file(in_path, self._outside(out_path))

    def fetch_file(self, in_path, out_path):  # noqa: ANN001, ANN201, D102
        return super().fetch_file(self._outside(in_path), out_path)

    def _outside(self, path: str) -> str:
        return f"/proc/{self.get_option('pid')}/root{path}"
