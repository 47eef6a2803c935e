"""Parts of the admin pages of devices: badges, filters, panels."""
