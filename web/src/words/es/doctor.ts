// Setup: what the doctor says, in Spanish.
import type { DoctorWords } from "../table";

const s = (count: number): string => (count === 1 ? "" : "s");

export const doctor: DoctorWords = {
  doctor: "Diagnóstico",
  open: "Comprobar la conexión",
  openOnCurtain: "Averiguar la causa",
  looking: "Examinando la conexión…",
  lookingDetail: "Cada servidor se prueba de verdad, lo que tarda hasta diez segundos.",
  browserSide: "Visto desde este navegador",
  serverSide: "Visto desde el servidor",
  again: "Comprobar de nuevo",
  copy: "Copiar informe",
  copied: "Copiado",
  copyFailed: "Seleccione el texto de abajo y cópielo",
  close: "Cerrar",
  details: (count) => (count === 1 ? "El camino que se probó" : `Los ${count} caminos que se probaron`),

  outcome: { passed: "bien", warning: "podría ir mejor", failed: "no funciona", skipped: "sin comprobar" },

  verdict: {
    connected: { title: "Está conectado directamente", advice: "Las imágenes toman el camino más corto del servidor a este navegador." },
    relayed: {
      title: "Está conectado a través de un servidor TURN",
      advice: "Todo está bien. Un camino directo sería algo más rápido; un cortafuegos, un rúter o la configuración del servidor lo impiden.",
    },
    serverSilent: { title: "El servidor no responde", advice: "Compruebe que el escritorio funciona y que está en la red o VPN correcta; después inténtelo de nuevo." },
    notTried: { title: "La conexión no llegó hasta la vía de los medios", advice: "Lo que dice el servidor más abajo explica más." },
    noRelayConfigured: {
      title: "Solo se permiten caminos retransmitidos y no hay servidor TURN",
      advice: "Su administrador debe configurar un servidor TURN (--turn-host) o permitir caminos directos (--ice-transport-policy=all).",
    },
    relayCredentials: {
      title: "El servidor TURN rechaza el usuario o la contraseña",
      advice: "Su administrador debe corregir las credenciales de TURN o el secreto compartido, y comparar los dos relojes.",
    },
    relayUnreachable: {
      title: "No se puede llegar al servidor TURN desde aquí",
      advice: "Un cortafuegos bloquea el camino, o el servidor no funciona. TURN sobre TLS en el puerto 443 atraviesa la mayoría de los cortafuegos.",
    },
    noCandidates: {
      title: "Este navegador no ofrece ninguna dirección",
      advice: "Un ajuste, una directiva o una extensión del navegador prohíbe a WebRTC usar la red («WebRTC IP handling»). Permítalo o use TURN.",
    },
    serverNoCandidates: {
      title: "El servidor no ofrece ninguna dirección",
      advice: "No tiene ninguna red a la que lleguen los navegadores, o su configuración excluye todas las direcciones. Las comprobaciones del servidor más abajo dicen más.",
    },
    blockedNoTurn: {
      title: "Un cortafuegos bloquea los medios y no hay servidor TURN",
      advice: "La página y el servidor se hablan, pero los paquetes entre sus direcciones no pasan. Su administrador debe abrir UDP o configurar un servidor TURN.",
    },
    blockedTurnCredentials: {
      title: "Un cortafuegos bloquea el camino directo y el servidor TURN rechaza el usuario o la contraseña",
      advice: "Su administrador debe corregir las credenciales de TURN o el secreto compartido, y comparar los dos relojes.",
    },
    blockedTurnUnreachable: {
      title: "Un cortafuegos bloquea el camino directo y tampoco se puede llegar al servidor TURN",
      advice: "TURN sobre TLS en el puerto 443 atraviesa la mayoría de los cortafuegos; su administrador puede ofrecerlo.",
    },
    blocked: {
      title: "El servidor TURN funciona y aun así no pasa nada",
      advice: "Quizá el servidor TURN no tenga permiso para llegar al servidor del escritorio: mire los pares permitidos y el cortafuegos entre ambos.",
    },
  },

  server: {
    passed: { title: "Funciona", advice: "" },
    credentials: { title: "Rechaza el usuario o la contraseña", advice: "Corrija las credenciales o el secreto compartido; si caducan, compare los relojes de ambos servidores." },
    forbidden: { title: "Lo prohíbe", advice: "Las reglas del servidor excluyen esta red: mire sus direcciones permitidas y denegadas." },
    quota: { title: "No le quedan direcciones que dar", advice: "Aumente su cuota o amplíe su rango de puertos de retransmisión." },
    unreachable: { title: "No es accesible desde este navegador", advice: "Un cortafuegos lo bloquea, nada escucha allí o (con turns:) no se confía en su certificado." },
    silent: { title: "No respondió a tiempo", advice: "Un cortafuegos descarta los paquetes. TCP, o TLS en el puerto 443, pasa más a menudo que UDP." },
    refused: { title: "No dio ninguna dirección", advice: "Mire el registro del servidor." },
  },
  took: (ms) => `${Math.round(ms)}\u00a0ms`,

  rowPath: "Camino",
  rowGathered: "Direcciones",
  rowPairs: "Intentos",
  rowServer: "Servidor",
  rowClock: "Reloj",
  rowDoctor: "Informe",
  pathDirect: (kind, ms) => `Los medios van directamente (${kind}), ${ms} ida y vuelta.`,
  pathRelayed: (kind, ms) => `Los medios van por un servidor TURN (${kind}), ${ms} ida y vuelta.`,
  noPath: "No hay ningún camino abierto.",
  unknownTime: "tiempo desconocido",
  gathered: (own, servers) => `Este navegador ofrece ${own}; el servidor ofrece ${servers}.`,
  kinds: (host, srflx, relay) =>
    host + srflx + relay === 0
      ? "ninguna dirección"
      : [host > 0 ? `${host} propia${s(host)}` : "", srflx > 0 ? `${srflx} vista${s(srflx)} desde fuera` : "", relay > 0 ? `${relay} retransmitida${s(relay)}` : ""].filter(Boolean).join(", "),
  noUdp: "Ninguna dirección de este navegador es para UDP: sus ajustes o una directiva lo prohíben.",
  pairs: (tried, answered) => `${tried} camino${s(tried)} probado${s(tried)}, ${answered} con respuesta.`,
  pair: (local, kind, remote, state) => `${local} (${kind}) → ${remote}: ${state}`,
  pairChosen: "elegido",
  pairAnswers: (answered, asked) => `${answered}/${asked} respuestas`,
  noServers: "No hay ningún servidor STUN o TURN configurado.",
  noServersAdvice: "Detrás de cortafuegos estrictos, las páginas no pueden conectarse entonces.",
  clockFine: (seconds) => `El reloj de este navegador y el del servidor difieren en ${seconds}\u00a0s.`,
  clockWrong: (seconds) => `El reloj de este navegador y el del servidor difieren en ${seconds}\u00a0s.`,
  clockAdvice: "Los certificados y las credenciales pueden ser rechazados: ponga ambos relojes en hora por la red.",
  noReport: "No se pudieron obtener las comprobaciones del servidor.",
  noReportOf: (status) => `El servidor respondió con ${status} al pedirle sus comprobaciones.`,
  noReportAdvice: "Un servidor sin lanzador no las tiene; las del navegador valen igualmente.",

  checkName: {
    gpu: "GPU",
    encoder: "Codificador",
    media: "Medios",
    latency: "Latencia",
    candidates: "Direcciones",
    servers: "Servidores",
    stun: "STUN",
    turnUdp: "TURN, UDP",
    turnTcp: "TURN, TCP",
    turnTls: "TURN, TLS",
    dns: "Nombres",
    clock: "Reloj",
    sound: "Sonido",
    microphone: "Micrófono",
    webcam: "Cámara web",
    gamepads: "Mandos",
  },
};
