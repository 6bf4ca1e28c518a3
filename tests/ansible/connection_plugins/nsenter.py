"""What Ansible runs and copies goes into the namespaces of a process: the first of a container that is booted."""

from __future__ import annotations

import shlex

from ansible.errors import AnsibleError
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

    def exec_command(self, cmd, in_data=None, sudoable=True):  # as the base class has it
        return super().exec_command(self._inside(cmd), in_data, sudoable)

    def put_file(self, in_path, out_path):
        self._copy(f"{self._inside(f'cat > {shlex.quote(out_path)}')} < {shlex.quote(in_path)}", out_path)

    def fetch_file(self, in_path, out_path):
        self._copy(f"{self._inside(f'cat {shlex.quote(in_path)}')} > {shlex.quote(out_path)}", in_path)

    def _inside(self, cmd: str) -> str:
        enter = ["nsenter", "--target", str(self.get_option("pid")), "--mount", "--pid", "--uts", "--ipc", "--net"]
        # As whoever logs in would have it.
        variables = ["HOME=/root", "USER=root", "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"]
        return shlex.join([*enter, "--", "env", "--ignore-environment", *variables, "sh", "-c", cmd])

    def _copy(self, command: str, what: str) -> None:
        status, _, stderr = super().exec_command(command)
        if status:
            raise AnsibleError(f"{what} could not be copied: {stderr.decode(errors='replace')}")
