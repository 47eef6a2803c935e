// What unfold's templates call by name. Alpine's build without eval knows only what is
// registered with it, and its expressions see neither `window` nor statements.
document.addEventListener("alpine:init", () => {
  for (const name of ["theme", "searchForm", "searchDropdown"]) Alpine.data(name, window[name]);
  Alpine.data("searchCommand", () => ({
    ...window.searchCommand(),
    enter(event, remember) {
      if (!event.metaKey && !event.ctrlKey && this.currentIndex > 0) this.selectItem(remember);
    },
  }));
  Alpine.data("page", (tab) => ({
    activeTab: window.getCurrentTab() || tab,
    sidebarMobileOpen: false,
    sidebarDesktopOpen: localStorage.getItem("sidebarDesktopOpen") !== "0",
    toggleSidebar() {
      this.sidebarDesktopOpen = !this.sidebarDesktopOpen;
      localStorage.setItem("sidebarDesktopOpen", this.sidebarDesktopOpen ? "1" : "0");
    },
    actionOfTab() {
      const { pathname, search } = window.location;
      const tab = this.activeTab && this.activeTab !== "general" ? `#${this.activeTab}` : "";
      return pathname + search + tab;
    },
  }));
});
