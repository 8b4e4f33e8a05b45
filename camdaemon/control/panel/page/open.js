// The first page of a visit: keep the session where no other port's pages get it, unlike a cookie. It ends with the tab.

sessionStorage.setItem("session", document.querySelector("meta[name=session]").content);
location.replace("/"); // the used address stays out of the history
