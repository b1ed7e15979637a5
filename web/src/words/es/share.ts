// Setup: what the page says of what is shared with the desktop, in Spanish.
import type { ShareWords } from "../table";

export const share: ShareWords = {
  tabShare: "Compartir",
  nothingShared: "Ahora no se comparte nada con usted: el operador lo ha desactivado o controla otra persona.",
  clipboard: "Portapapeles",
  clipboardWay: { both: "en ambos sentidos", in: "solo hacia el escritorio", out: "solo desde el escritorio" },
  clipboardAsks: "Ctrl V pega lo que copió en otro lugar. Para pegar con el ratón, esta página tiene que leer el portapapeles.",
  allowClipboard: "Permitir la lectura",
  copyMarked: "Copiar lo seleccionado",
  copyMarkedHint: "Trae a su portapapeles el texto seleccionado en el escritorio (el que pega el botón central).",
  copiedMarked: "Lo seleccionado en el escritorio está ahora en su portapapeles.",
  pasting: (percent) => `Pegando… ${percent}\u00a0%`,
  clipboardMissed: {
    tooLarge: (limit) => `Lo copiado es demasiado grande: entre usted y el escritorio se copian como máximo ${limit}.`,
    notAllowed: "El portapapeles no se comparte en este sentido.",
    empty: "No hay nada que copiar, o nada que un navegador acepte.",
    malformed: "Lo copiado se dañó por el camino. Cópielo de nuevo.",
    failed: "El programa del escritorio no entregó lo copiado. Cópielo de nuevo.",
    impossible: "Su navegador no acepta lo que se copió en el escritorio. Las imágenes necesitan una dirección que empiece por https.",
  },
  megabytes: (count) => `${count}\u00a0MB`,
};
