"""NVIDIA: the script that asks NVML, run by a child, since a broken driver hangs or crashes who loads its library."""

NVML = """
import json, pynvml as n
def text(value): return value.decode() if isinstance(value, bytes) else value
def ask(name, *arguments):
    try: return getattr(n, name)(*arguments)
    except (n.NVMLError, AttributeError): return None
def load():
    try: n.nvmlInit()
    except n.NVMLError as error:
        if error.value != 12: raise
        import ctypes  # in WSL the loader may not know the folder
        n.nvmlLib = ctypes.CDLL("/usr/lib/wsl/lib/libnvidia-ml.so.1")
        n.nvmlInit()
def instances(h):
    mode = ask("nvmlDeviceGetMigMode", h)
    if not mode or mode[0] != 1: return None
    found = []
    for i in range(ask("nvmlDeviceGetMaxMigDeviceCount", h) or 0):
        m = ask("nvmlDeviceGetMigDeviceHandleByIndex", h, i)
        if m is not None:
            memory = ask("nvmlDeviceGetMemoryInfo", m)
            found.append({"name": (text(ask("nvmlDeviceGetName", m)) or "").split("MIG ")[-1],
                          "memory": memory and memory.total})
    return found
def gpu(i):
    h = n.nvmlDeviceGetHandleByIndex(i)
    memory, pci, mig = ask("nvmlDeviceGetMemoryInfo", h), ask("nvmlDeviceGetPciInfo", h), instances(h)
    told = {"name": text(ask("nvmlDeviceGetName", h)), "capability": ask("nvmlDeviceGetCudaComputeCapability", h),
            "memory": memory and memory.total}
    if pci: told["pci"] = "%04x:%04x" % (pci.pciDeviceId & 0xFFFF, pci.pciDeviceId >> 16)
    if mig is not None: told["mig"] = mig
    if ask("nvmlDeviceGetVirtualizationMode", h) == 2: told["vgpu"] = True
    return told
try:
    load()
    found = [gpu(i) for i in range(n.nvmlDeviceGetCount())]
    print(json.dumps({"driver": text(n.nvmlSystemGetDriverVersion()), "gpus": found}))
except n.NVMLError as error:
    print(json.dumps({"error": error.value, "text": str(error)}))
except OSError as error:
    print(json.dumps({"error": 12, "text": "libnvidia-ml: " + str(error)}))
"""
