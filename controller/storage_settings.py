"""Where uploaded files are kept, and for how long rows are: in days; 0 is for ever."""

from controller.environment import env

# Bucket of an S3-compatible object store for uploaded files that all machines share; empty for
# none. Credentials are those of boto3, such as AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY.
MUSTER_S3_BUCKET = env.str("MUSTER_S3_BUCKET", "")
# URL of the object store, for example https://s3.example.org; empty for AWS.
MUSTER_S3_URL = env.str("MUSTER_S3_URL", "").rstrip("/")
# Region of the bucket.
MUSTER_S3_REGION = env.str("MUSTER_S3_REGION", "us-east-1")
# Folder of the bucket in which everything is kept; empty for the whole bucket.
MUSTER_S3_FOLDER = env.str("MUSTER_S3_FOLDER", "").strip("/")

# --- how long rows are kept
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
