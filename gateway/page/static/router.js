// Where the page is: #/space/view/name?at=…&q=…  A link to it shows the same again.

export function here() {
  const [path, given] = location.hash.replace(/^#\/?/, "").split("?");
  const [space = "", view = "", ...rest] = path.split("/").map(decoded);
  return { space, view, name: rest.join("/"), given: new URLSearchParams(given ?? "") };
}

function decoded(part) {
  try {
    return decodeURIComponent(part);
  } catch {
    return part;
  }
}

// The address of a view of the same space; the time asked about stays unless `at` says otherwise.
export function to(view = "", name = "", given = {}) {
  const now = here();
  return addressed(now.space, view, name, { at: now.given.get("at"), ...given });
}

export function addressed(space, view = "", name = "", given = {}) {
  const path = [space, view, name].filter((part, place) => part !== "" || place === 0).map(encodeURIComponent).join("/");
  const kept = Object.entries(given).filter(([, value]) => value !== null && value !== undefined && value !== "");
  return `#/${path}${kept.length ? `?${new URLSearchParams(kept)}` : ""}`;
}

// The same view at another time is no further step to go back from.
export function turn(address) {
  history.replaceState(null, "", address);
  dispatchEvent(new HashChangeEvent("hashchange"));
}

export function go(address) {
  if (location.hash === address) dispatchEvent(new HashChangeEvent("hashchange"));
  else location.hash = address;
}
