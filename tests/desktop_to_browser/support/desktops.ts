// Setup: desktops on which something moves, since one on which nothing does sends nothing.

/** A terminal whose text scrolls, 20 lines a second. */
export function scrolling(geometry: string): string[] {
  return ["xterm", "-geometry", geometry, "-e", "sh", "-c", 'i=0; while :; do i=$((i+1)); echo "line $i"; sleep 0.05; done'];
}
