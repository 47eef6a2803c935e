"""Registry of push strategies, by the name stored in device connections."""

from controller.configs.drivers.contract import Strategy
from controller.configs.drivers.linux_files import LinuxFiles
from controller.configs.drivers.openwrt_agent import OpenwrtAgent
from controller.configs.drivers.openwrt_uci import OpenwrtUci

STRATEGIES: dict[str, Strategy] = {
    "linux-files": LinuxFiles(),
    "openwrt-agent": OpenwrtAgent(),
    "openwrt-uci": OpenwrtUci(),
}
