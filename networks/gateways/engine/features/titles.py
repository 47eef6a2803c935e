"""Titles of features, areas and fields for people; keys and names stay those of the vendors."""

import re
from collections.abc import Mapping

AREAS: Mapping[str, str] = {
    "backup": "Backup", "bulk": "Many at once", "clients": "Clients", "cluster": "Cluster",
    "container": "Containers", "cron": "Scheduled jobs", "devices": "Devices", "dhcp": "DHCP",
    "dns": "DNS", "firewall": "Firewall", "firmware": "Firmware", "ha": "High availability",
    "hotspot": "Hotspot", "interfaces": "Interfaces", "ip": "IP addresses", "nat": "NAT",
    "network": "Networks", "networks": "Networks", "node": "Nodes",
    "port-profiles": "Port profiles", "ppp": "PPP", "queues": "Queues", "radius": "RADIUS",
    "routing": "Routing", "sdn": "Software-defined network", "security": "Security",
    "services": "Services", "shaper": "Traffic shaper", "snapshot": "Snapshots",
    "switch": "Switches", "system": "System", "traffic": "Traffic", "vm": "Virtual machines",
    "vpn": "VPN", "wifi": "Wi-Fi", "wlans": "Wi-Fi",
}  # fmt: skip

# By key without the vendor: name of an object, or for an action what it does; and a sentence.
FEATURES: Mapping[str, tuple[str, str]] = {
    # VPN
    "vpn.wireguard.server": ("WireGuard server", "A WireGuard instance that accepts peers."),
    "vpn.wireguard.tunnel": ("WireGuard tunnel", "A WireGuard instance that accepts peers."),
    "vpn.wireguard.interface": ("WireGuard interface", "A WireGuard instance with its key and port."),
    "vpn.wireguard.peer": ("WireGuard peer", "A client or remote site of a WireGuard instance."),
    "vpn.openvpn.instance": ("OpenVPN instance", "An OpenVPN server or client."),
    "vpn.openvpn.server": ("OpenVPN server", "An OpenVPN server with its networks and ciphers."),
    "vpn.ipsec.phase1": ("IPsec phase 1", "The remote gateway and how both sides authenticate."),
    "vpn.ipsec.phase2": ("IPsec phase 2", "The networks that an IPsec tunnel connects."),
    "vpn.ipsec.peer": ("IPsec peer", "The remote gateway of an IPsec tunnel."),
    "vpn.ipsec.identity": ("IPsec identity", "How an IPsec peer authenticates."),
    "vpn.ipsec.policy": ("IPsec policy", "Which traffic goes through an IPsec tunnel."),
    "vpn.l2tp_server": ("L2TP server", "Settings of the L2TP server."),
    "vpn.network": ("site-to-site VPN", "A VPN to another site."),
    "vpn.server": ("VPN server", "A VPN server for remote users."),
    "vpn.wireguard.apply": ("apply WireGuard settings", "Activates saved WireGuard settings."),
    "vpn.openvpn.apply": ("apply OpenVPN settings", "Activates saved OpenVPN settings."),
    # Firewall and NAT
    "firewall.alias": ("firewall alias", "A named set of hosts, networks or ports for rules."),
    "firewall.rule": ("firewall rule", "Allows or blocks traffic."),
    "firewall.policy": ("firewall policy", "Allows or blocks traffic between zones."),
    "firewall.filter_rule": ("filter rule", "Allows or blocks traffic."),
    "firewall.nat_rule": ("NAT rule", "Rewrites addresses or ports of connections."),
    "firewall.mangle_rule": ("mangle rule", "Marks packets or connections."),
    "firewall.address_list": ("address list entry", "An address in a named list for rules."),
    "firewall.port_forward": ("port forward", "Sends connections to a port on to an internal host."),
    "firewall.source_nat": ("source NAT rule", "Rewrites the source address of connections."),
    "firewall.zone": ("firewall zone", "A group of networks with common rules."),
    "firewall.forwarding": ("zone forwarding", "Allows traffic from one zone to another."),
    "firewall.ipset": ("IP set", "A named set of addresses for rules."),
    "firewall.group": ("firewall group", "A named set of addresses or ports for rules."),
    "firewall.acl": ("access control rule", "Allows or blocks traffic."),
    "firewall.one_to_one_nat": ("one-to-one NAT", "Maps an external address to an internal one."),
    "firewall.cluster_rule": ("cluster firewall rule", "Allows or blocks traffic of all nodes."),
    "firewall.guest_rule": ("guest firewall rule", "Allows or blocks traffic of a guest."),
    "firewall.guest_options": ("guest firewall options", "Turns the firewall of a guest on or off."),
    "firewall.apply": ("apply firewall rules", "Activates saved firewall rules."),
    "nat.port_forward": ("port forward", "Sends connections to a port on to an internal host."),
    "nat.source_rule": ("source NAT rule", "Rewrites the source address of connections."),
    "nat.outbound": ("outbound NAT rule", "Rewrites the source address of outgoing connections."),
    "nat.one_to_one": ("one-to-one NAT", "Maps an external address to an internal one."),
    # Routing, DHCP, DNS
    "routing.static_route": ("static route", "Sends traffic for a network to a gateway."),
    "routing.gateway": ("gateway", "A next hop for routes."),
    "routing.apply": ("apply routes", "Activates saved routes."),
    "dhcp.reservation": ("DHCP reservation", "Always gives a device the same address."),
    "dhcp.static_mapping": ("DHCP reservation", "Always gives a device the same address."),
    "dhcp.static_host": ("DHCP reservation", "Always gives a device the same address."),
    "dhcp.lease_static": ("DHCP reservation", "Always gives a device the same address."),
    "dhcp.kea_subnet": ("DHCP subnet", "A network in which Kea assigns addresses."),
    "dhcp.pool": ("DHCP pool", "Assigns addresses on an interface."),
    "dhcp.server": ("DHCP server", "Assigns addresses on an interface."),
    "dhcp.network": ("DHCP network", "Gateway and DNS servers that clients get."),
    "dhcp.kea_apply": ("apply DHCP settings", "Activates saved DHCP settings."),
    "dns.host_override": ("DNS host override", "A name with an address of your own."),
    "dns.override": ("DNS host override", "A name with an address of your own."),
    "dns.static": ("static DNS entry", "A name with an address of your own."),
    "dns.record": ("DNS record", "A record that the gateway answers itself."),
    "dns.cname": ("DNS alias", "A second name for a host."),
    "dns.domain_override": ("DNS domain override", "Asks another server about a domain."),
    "dns.settings": ("DNS settings", "Servers and cache of the resolver."),
    "dns.apply": ("apply DNS settings", "Activates saved DNS settings."),
    # Interfaces, Wi-Fi, networks
    "interfaces.vlan": ("VLAN", "A tagged network on an interface."),
    "interfaces.bridge_vlan": ("bridge VLAN", "The ports of a VLAN on a bridge."),
    "interfaces.network": ("network interface", "An interface with its address."),
    "interfaces.vlan_apply": ("apply VLANs", "Activates saved VLANs."),
    "wifi.ssid": ("Wi-Fi network", "A wireless network with its name and password."),
    "wlans.ssid": ("Wi-Fi network", "A wireless network with its name and password."),
    "networks.vlan": ("network", "A network with its VLAN and address range."),
    "network.lan": ("network", "A network with its VLAN and address range."),
    "ip.address": ("IP address", "An address of an interface."),
    "ip.pool": ("IP pool", "A range of addresses for DHCP or PPP."),
    "portprofiles.profile": ("port profile", "Settings for switch ports."),
    "switch.power_cycle": ("power-cycle a switch port", "Turns PoE off and on again."),
    # Traffic
    "shaper.pipe": ("shaper pipe", "A bandwidth limit."),
    "shaper.queue": ("shaper queue", "A share of a pipe."),
    "shaper.rule": ("shaper rule", "Which traffic goes through a pipe or queue."),
    "shaper.apply": ("apply the traffic shaper", "Activates saved shaper settings."),
    "queues.simple": ("simple queue", "A bandwidth limit for addresses."),
    "traffic.rule": ("traffic rule", "Blocks or limits traffic by app, domain or address."),
    # Users
    "ppp.secret": ("PPP user", "Name and password for PPP, L2TP or PPTP."),
    "hotspot.user": ("hotspot user", "Name and password for the hotspot."),
    "hotspot.voucher": ("hotspot voucher", "A code for guests."),
    "radius.user": ("RADIUS user", "Name and password for RADIUS."),
    "security.radius_server": ("RADIUS server", "A server that checks names and passwords."),
    "security.snmp_settings": ("SNMP settings", "Turns SNMP on or off."),
    "clients.reservation": ("fixed client address", "Always gives a client the same address."),
    "clients.block": ("block a client", "Refuses the client until it is unblocked."),
    "clients.unblock": ("unblock a client", "Lets a blocked client connect again."),
    "clients.reconnect": ("reconnect a client", "Disconnects the client, which then returns."),
    # Devices and services
    "devices.restart": ("restart a device", "Interrupts the device for some minutes."),
    "devices.upgrade": ("upgrade a device", "Installs the latest firmware and restarts."),
    "devices.adopt": ("adopt a device", "Adds the device to the controller."),
    "devices.locate": ("locate a device", "Makes the LED of the device blink."),
    "services.start": ("start a service", "Starts the service."),
    "services.stop": ("stop a service", "Stops the service."),
    "services.restart": ("restart a service", "Stops the service and starts it."),
    "cron.job": ("scheduled job", "A command that runs at set times."),
    "cron.apply": ("apply scheduled jobs", "Activates saved jobs."),
    # System
    "system.settings": ("system settings", "Host name, time zone and logging."),
    "system.ntp": ("NTP settings", "Servers for the time."),
    "system.identity": ("system name", "The name of the router."),
    "system.hostname": ("host name", "The name of the gateway."),
    "system.dns": ("DNS servers", "Servers that the gateway itself asks."),
    "system.reboot": ("reboot the gateway", "Interrupts all traffic for some minutes."),
    "system.halt": ("shut down the gateway", "Stops all traffic until somebody turns it on."),
    "system.shutdown": ("shut down the gateway", "Stops all traffic until somebody turns it on."),
    "system.firmware_check": ("check for firmware updates", "Asks the vendor for updates."),
    "system.firmware_update": ("update the firmware", "Installs updates; the gateway may reboot."),
    "system.firmware_install": ("install firmware", "Flashes an image and reboots."),
    "system.firmware.install": ("install firmware", "Installs downloaded packages and reboots."),
    "system.factory_reset": ("reset to factory settings", "Deletes all settings of the gateway."),
    "system.backup_create": ("create a backup", "Stores a backup on the router."),
    # Proxmox
    "cluster.firewall_options": ("cluster firewall options", "Turns the firewall on or off."),
    "vm.config": ("virtual machine settings", "CPU, memory and start behavior."),
    "container.config": ("container settings", "CPU, memory and start behavior."),
    "node.network": ("node interface", "An interface or bridge of a node."),
    "node.dns": ("node DNS servers", "Servers that the node asks."),
    "sdn.zone": ("SDN zone", "A group of virtual networks."),
    "sdn.vnet": ("virtual network", "A network in a zone."),
    "ha.resource": ("HA resource", "A guest that restarts on another node."),
    "backup.job": ("backup job", "Backs up guests at set times."),
    "backup.run": ("back up guests now", "Starts one backup."),
    "vm.start": ("start a virtual machine", "Starts the machine."),
    "vm.stop": ("stop a virtual machine", "Turns the power off; unsaved data is lost."),
    "vm.shutdown": ("shut down a virtual machine", "Asks its system to shut down."),
    "vm.reboot": ("reboot a virtual machine", "Asks its system to reboot."),
    "vm.suspend": ("suspend a virtual machine", "Pauses the machine."),
    "vm.resume": ("resume a virtual machine", "Continues a paused machine."),
    "vm.clone": ("clone a virtual machine", "Copies the machine."),
    "vm.migrate": ("migrate a virtual machine", "Moves the machine to another node."),
    "vm.destroy": ("delete a virtual machine", "Deletes the machine and its disks."),
    "container.start": ("start a container", "Starts the container."),
    "container.stop": ("stop a container", "Stops it at once; unsaved data is lost."),
    "container.shutdown": ("shut down a container", "Asks its system to shut down."),
    "container.reboot": ("reboot a container", "Asks its system to reboot."),
    "container.destroy": ("delete a container", "Deletes the container and its disks."),
    "snapshot.create": ("create a snapshot", "Stores the present state of a guest."),
    "snapshot.rollback": ("roll back to a snapshot", "Later changes of the guest are lost."),
    "snapshot.delete": ("delete a snapshot", "Deletes a stored state of a guest."),
    "node.apt_refresh": ("refresh package lists", "Asks for updates of the node."),
    "node.reboot": ("reboot a node", "Interrupts all guests of the node."),
    "node.shutdown": ("shut down a node", "Stops all guests of the node."),
    # Many at once
    "bulk.client.block": ("block clients", "Refuses the clients until they are unblocked."),
    "bulk.client.unblock": ("unblock clients", "Lets blocked clients connect again."),
    "bulk.client.kick": ("disconnect clients", "Disconnects the clients, which may return."),
    "bulk.device.reboot": ("reboot devices", "Interrupts the devices for some minutes."),
    "firmware.upgrade": ("upgrade firmware", "Installs firmware on devices and restarts them."),
}  # fmt: skip

ACRONYMS: Mapping[str, str] = {
    word.lower(): word
    for word in (
        "CA", "CPU", "DHCP", "DNS", "HA", "ID", "IP", "IPsec", "IPv4", "IPv6", "L2TP", "MAC",
        "MTU", "NAT", "NTP", "PCP", "PoE", "PPP", "RADIUS", "SSID", "TLS", "TTL", "URL", "VLAN",
        "VM", "VPN", "WAN", "WireGuard", "WPA",
    )
}  # fmt: skip
# Names that are one word at the vendor, or abbreviations.
FIELDS: Mapping[str, str] = {
    "allowedips": "Allowed addresses", "bridge_ports": "Ports", "caref": "CA",
    "certref": "Certificate", "client2client": "Clients reach each other", "descr": "Description",
    "dest": "Destination", "disableroutes": "No automatic routes", "dport": "Destination port",
    "fwd": "Forward to", "gwredir": "All traffic through the VPN", "iface": "Interface",
    "ifname": "Interface", "ikeid": "Phase 1", "iketype": "IKE version", "ipaddr": "IP address",
    "ipprotocol": "IP version", "keepalive": "Keepalive (seconds)", "leasetime": "Lease time",
    "listenport": "Listen port", "localip": "Local IP address", "mday": "Day of the month",
    "networkconf id": "Network", "onboot": "Start at boot", "opt": "Interface",
    "persistentkeepalive": "Keepalive (seconds)", "presharedkey": "Pre-shared key",
    "privatekey": "Private key", "privkey": "Private key", "proto": "Protocol",
    "psk": "Pre-shared key", "pubkey": "Public key", "publickey": "Public key",
    "quick": "First match decides", "rr": "Record type", "serveraddress": "Server address",
    "serverport": "Server port", "serverservers": "Servers", "src": "Source",
    "dst": "Destination", "tunneladdress": "Tunnel addresses", "vid": "VLAN ID",
    "vlanif": "VLAN interface", "vmid": "VM ID", "wday": "Day of the week",
}  # fmt: skip
WORDS: Mapping[str, str] = {
    "src": "source", "dst": "destination", "fwd": "forward", "conf": "configuration",
    "auth": "authentication", "addr": "address", "algo": "algorithm", "hw": "hardware",
}  # fmt: skip
VERBS: Mapping[str, str] = {"create": "Add", "update": "Change", "delete": "Delete"}


def field_label(name: str) -> str:
    """Return the label of a field: ``listen_port`` and ``listenPort`` are "Listen port"."""
    bare = name.removeprefix("x_").rsplit(".", 1)[-1]
    if known := FIELDS.get(bare.lower()):
        return known
    parts = re.split(r"[_.-]+|(?<=[a-z0-9])(?=[A-Z])", bare)
    words = [WORDS.get(one.lower(), one.lower()) for one in parts if one]
    text = " ".join(ACRONYMS.get(one, one) for one in words)
    return text[:1].upper() + text[1:]


def area_title(area: str) -> str:
    return AREAS.get(area) or field_label(area)


def feature_title(vendor: str, key: str) -> tuple[str, str]:
    """Return the title of a feature and a sentence about it."""
    bare = key.removeprefix(f"{vendor}.")
    return FEATURES.get(bare) or (field_label(bare).lower(), "")
