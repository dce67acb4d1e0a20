"""Where Java, and with it every JetBrains IDE, thinks that the user's home is."""

import os
from pathlib import Path, PurePath

from setup_llm_dev.host.world import Host


def java_user_home(host: Host) -> PurePath:
    """What the IDE takes for `$USER_HOME$`: on Unix Java asks the list of users, whatever HOME says."""
    try:
        import pwd
    except ImportError:  # Windows has none, and its Java goes by the profile
        return host.home
    try:
        told = Path(pwd.getpwuid(os.getuid()).pw_dir)
    except KeyError:  # a container's user that is in no list
        return host.home
    return told if told.is_absolute() else host.home
