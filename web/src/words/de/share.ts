// Setup: what the page says of what is shared with the desktop, in German.
import type { ShareWords } from "../table";

export const share: ShareWords = {
  tabShare: "Teilen",
  nothingShared: "Mit Ihnen wird jetzt nichts geteilt: Der Betreiber hat es abgeschaltet, oder jemand anderes steuert.",
  clipboard: "Zwischenablage",
  clipboardWay: { both: "in beide Richtungen", in: "nur zum Desktop", out: "nur vom Desktop" },
  clipboardAsks: "Strg V fügt ein, was Sie anderswo kopiert haben. Zum Einfügen mit der Maus muss diese Seite die Zwischenablage lesen.",
  allowClipboard: "Lesen erlauben",
  copyMarked: "Markiertes kopieren",
  copyMarkedHint: "Holt den auf dem Desktop markierten Text (die mittlere Taste fügt ihn ein) in Ihre Zwischenablage.",
  copiedMarked: "Was auf dem Desktop markiert ist, ist jetzt in Ihrer Zwischenablage.",
  pasting: (percent) => `Einfügen… ${percent}\u00a0%`,
  clipboardMissed: {
    tooLarge: (limit) => `Das Kopierte ist zu groß: Zwischen Ihnen und dem Desktop werden höchstens ${limit} kopiert.`,
    notAllowed: "Die Zwischenablage wird in dieser Richtung nicht geteilt.",
    empty: "Es gibt nichts zu kopieren, oder nichts, was ein Browser annimmt.",
    malformed: "Das Kopierte wurde unterwegs beschädigt. Bitte kopieren Sie es noch einmal.",
    failed: "Das Programm auf dem Desktop hat das Kopierte nicht herausgegeben. Bitte kopieren Sie es noch einmal.",
    impossible: "Ihr Browser nimmt nicht an, was auf dem Desktop kopiert wurde. Bilder brauchen eine Adresse, die mit https beginnt.",
  },
  megabytes: (count) => `${count}\u00a0MB`,
};
