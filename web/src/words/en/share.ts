// Setup: what the page says of what is shared with the desktop, in English.

export const share = {
  tabShare: "Sharing",
  nothingShared: "Nothing is shared with you now: the operator has switched it off, or somebody else is in control.",
  clipboard: "Clipboard",
  clipboardWay: { both: "both ways", in: "to the desktop only", out: "from the desktop only" },
  clipboardAsks: "Ctrl V pastes what you copied elsewhere. For pasting with the mouse, this page has to read the clipboard.",
  allowClipboard: "Let it read",
  copyMarked: "Copy what is marked",
  copyMarkedHint: "Brings the text that is marked on the desktop (the middle button pastes it) into your clipboard.",
  copiedMarked: "What is marked on the desktop is in your clipboard now.",
  pasting: (percent: number) => `Pasting… ${percent}\u00a0%`,
  clipboardMissed: {
    tooLarge: (limit: string) => `What was copied is too large: at most ${limit} are copied between you and the desktop.`,
    notAllowed: "The clipboard is not shared in this direction.",
    empty: "There is nothing to copy, or nothing that a browser takes.",
    malformed: "What was copied was damaged on the way. Please copy it again.",
    failed: "The program on the desktop did not give what was copied. Please copy it again.",
    impossible: "Your browser does not take what was copied on the desktop. Pictures need an address that begins with https.",
  },
  megabytes: (count: string) => `${count}\u00a0MB`,
} as const;
