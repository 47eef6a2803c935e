"""How long rows are kept, in days; 0 is for ever."""

from controller.environment import env

# Days for which ended pushes, commands, scans, notifications and the like are kept.
MUSTER_HISTORY_DAYS = env.int("MUSTER_HISTORY_DAYS", 90)
# Days for which ended changes of gateways, rollouts and campaigns are kept.
MUSTER_CHANGE_HISTORY_DAYS = env.int("MUSTER_CHANGE_HISTORY_DAYS", 365)
# Days for which former versions of devices, templates and groups are kept.
MUSTER_VERSION_DAYS = env.int("MUSTER_VERSION_DAYS", 730)
# Days for which recordings of terminals are kept.
MUSTER_RECORDING_DAYS = env.int("MUSTER_RECORDING_DAYS", 90)
# Days for which failed attempts to sign in are counted at most.
MUSTER_LOCKOUT_DAYS = env.int("MUSTER_LOCKOUT_DAYS", 1)
# Configurations of each device that can be returned to.
MUSTER_SNAPSHOTS_KEPT = env.int("MUSTER_SNAPSHOTS_KEPT", 50)
# Days for which an enrollment waits for a decision after the device last asked.
MUSTER_ENROLLMENT_DAYS = env.int("MUSTER_ENROLLMENT_DAYS", 30)
