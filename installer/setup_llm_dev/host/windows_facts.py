"""What Windows knows of itself, its memory and its display adapters, asked by one PowerShell that answers in JSON."""

from pathlib import PureWindowsPath
from typing import Any

from setup_llm_dev.errors import SystemRefused
from setup_llm_dev.host.world import Host

# CIM lists the adapters that are there; the registry alone knows a memory beyond four gigabytes.
ASKED = r"""
$ErrorActionPreference = 'SilentlyContinue'
[Console]::OutputEncoding = [Text.UTF8Encoding]::new($false)
$os = Get-CimInstance Win32_OperatingSystem
$keys = Get-ItemProperty 'HKLM:\SYSTEM\CurrentControlSet\Control\Class\{4d36e968-e325-11ce-bfc1-08002be10318}\0*'
$adapters = @(Get-CimInstance Win32_VideoController | ForEach-Object {
  $a = $_
  $key = $keys | Where-Object { $_.DriverDesc -eq $a.Name -and $_.DriverVersion -eq $a.DriverVersion } |
    Select-Object -First 1
  @{ name = $a.Name; pnp = $a.PNPDeviceID -replace '\\[^\\]*$', ''; driver = $a.DriverVersion
     error = $a.ConfigManagerErrorCode; memory = $key.'HardwareInformation.qwMemorySize' }
})
@{ os = @{ caption = $os.Caption; version = $os.Version; memory = [int64]$os.TotalVisibleMemorySize * 1024 }
   adapters = $adapters } | ConvertTo-Json -Depth 4 -Compress
"""
_PROGRAM = PureWindowsPath("System32", "WindowsPowerShell", "v1.0", "powershell.exe")


def windows_facts(host: Host) -> dict[str, Any]:
    """`{"os": {"caption", "version", "memory"}, "adapters": […]}`; empty where PowerShell gives no such answer."""
    import json

    root = PureWindowsPath(host.environment.get("SYSTEMROOT") or "C:\\Windows")
    try:
        answer = host.programs.run((str(root / _PROGRAM), "-NoProfile", "-NonInteractive", "-Command", ASKED))
        told = json.loads(answer.stdout.lstrip("\ufeff")) if answer.ok else {}
    except (SystemRefused, ValueError):
        return {}
    return told if isinstance(told, dict) else {}
