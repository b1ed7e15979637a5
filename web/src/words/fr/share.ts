// Setup: what the page says of what is shared with the desktop, in French.
import type { ShareWords } from "../table";

export const share: ShareWords = {
  tabShare: "Partage",
  nothingShared: "Rien n’est partagé avec vous : l’opérateur l’a désactivé, ou quelqu’un d’autre a le contrôle.",
  clipboard: "Presse-papiers",
  clipboardWay: { both: "dans les deux sens", in: "vers le bureau seulement", out: "depuis le bureau seulement" },
  clipboardAsks: "Ctrl V colle ce que vous avez copié ailleurs. Pour coller avec la souris, cette page doit lire le presse-papiers.",
  allowClipboard: "Autoriser la lecture",
  copyMarked: "Copier la sélection",
  copyMarkedHint: "Apporte dans votre presse-papiers le texte sélectionné sur le bureau (celui que colle le bouton du milieu).",
  copiedMarked: "La sélection du bureau est maintenant dans votre presse-papiers.",
  pasting: (percent) => `Collage… ${percent}\u00a0%`,
  clipboardMissed: {
    tooLarge: (limit) => `Ce qui a été copié est trop volumineux : au plus ${limit} sont copiés entre vous et le bureau.`,
    notAllowed: "Le presse-papiers n’est pas partagé dans ce sens.",
    empty: "Il n’y a rien à copier, ou rien qu’un navigateur accepte.",
    malformed: "Ce qui a été copié a été endommagé en route. Veuillez le copier à nouveau.",
    failed: "Le programme du bureau n’a pas fourni ce qui a été copié. Veuillez le copier à nouveau.",
    impossible: "Votre navigateur n’accepte pas ce qui a été copié sur le bureau. Les images demandent une adresse commençant par https.",
  },
  megabytes: (count) => `${count}\u00a0Mo`,
};
