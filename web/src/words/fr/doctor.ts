// Setup: what the doctor says, in French.
import type { DoctorWords } from "../table";

const s = (count: number): string => (count < 2 ? "" : "s");

export const doctor: DoctorWords = {
  doctor: "Diagnostic",
  open: "Vérifier la connexion",
  openOnCurtain: "Trouver la cause",
  looking: "Examen de la connexion…",
  lookingDetail: "Chaque serveur est réellement essayé, ce qui prend jusqu’à dix secondes.",
  browserSide: "Vu de ce navigateur",
  serverSide: "Vu du serveur",
  again: "Vérifier à nouveau",
  copy: "Copier le rapport",
  copied: "Copié",
  copyFailed: "Sélectionnez le texte ci-dessous et copiez-le",
  close: "Fermer",
  details: (count) => (count === 1 ? "Le chemin essayé" : `Les ${count} chemins essayés`),

  outcome: { passed: "bien", warning: "pourrait être mieux", failed: "ne fonctionne pas", skipped: "non vérifié" },

  verdict: {
    connected: { title: "Vous êtes connecté directement", advice: "Les images prennent le chemin le plus court du serveur à ce navigateur." },
    relayed: {
      title: "Vous êtes connecté par un serveur TURN",
      advice: "Tout va bien. Un chemin direct serait un peu plus rapide ; un pare-feu, un routeur ou les réglages du serveur l’empêchent.",
    },
    serverSilent: { title: "Le serveur ne répond pas", advice: "Vérifiez que le bureau fonctionne et que vous êtes dans le bon réseau ou VPN, puis réessayez." },
    notTried: { title: "La connexion n’est pas arrivée jusqu’à la voie des médias", advice: "Ce que dit le serveur ci-dessous en apprend plus." },
    noRelayConfigured: {
      title: "Seuls les chemins relayés sont permis, et il n’y a pas de serveur TURN",
      advice: "Votre administrateur doit configurer un serveur TURN (--turn-host) ou permettre les chemins directs (--ice-transport-policy=all).",
    },
    relayCredentials: {
      title: "Le serveur TURN refuse l’utilisateur ou le mot de passe",
      advice: "Votre administrateur doit corriger les identifiants TURN ou le secret partagé, et comparer les deux horloges.",
    },
    relayUnreachable: {
      title: "Le serveur TURN est injoignable d’ici",
      advice: "Un pare-feu barre le chemin, ou il ne fonctionne pas. TURN sur TLS au port 443 passe la plupart des pare-feu.",
    },
    noCandidates: {
      title: "Ce navigateur n’offre aucune adresse",
      advice: "Un réglage, une règle ou une extension du navigateur interdit le réseau à WebRTC (« WebRTC IP handling »). Permettez-le, ou utilisez TURN.",
    },
    serverNoCandidates: {
      title: "Le serveur n’offre aucune adresse",
      advice: "Il n’a pas de réseau que les navigateurs pourraient joindre, ou ses réglages excluent chaque adresse. Les vérifications du serveur ci-dessous en disent plus.",
    },
    blockedNoTurn: {
      title: "Un pare-feu bloque les médias, et il n’y a pas de serveur TURN",
      advice: "La page et le serveur se parlent, mais les paquets entre leurs adresses ne passent pas. Votre administrateur doit ouvrir UDP ou configurer un serveur TURN.",
    },
    blockedTurnCredentials: {
      title: "Un pare-feu bloque le chemin direct, et le serveur TURN refuse l’utilisateur ou le mot de passe",
      advice: "Votre administrateur doit corriger les identifiants TURN ou le secret partagé, et comparer les deux horloges.",
    },
    blockedTurnUnreachable: {
      title: "Un pare-feu bloque le chemin direct, et le serveur TURN est injoignable lui aussi",
      advice: "TURN sur TLS au port 443 passe la plupart des pare-feu ; votre administrateur peut l’offrir.",
    },
    blocked: {
      title: "Le serveur TURN fonctionne, et pourtant rien ne passe",
      advice: "Le serveur TURN n’a peut-être pas le droit de joindre le serveur du bureau : voyez ses pairs permis et le pare-feu entre les deux.",
    },
  },

  server: {
    passed: { title: "Fonctionne", advice: "" },
    credentials: { title: "Refuse l’utilisateur ou le mot de passe", advice: "Corrigez les identifiants ou le secret partagé ; s’ils expirent, comparez les horloges des deux serveurs." },
    forbidden: { title: "L’interdit", advice: "Les règles du serveur excluent ce réseau : voyez ses adresses permises et interdites." },
    quota: { title: "N’a plus d’adresse à donner", advice: "Relevez son quota, ou élargissez sa plage de ports de relais." },
    unreachable: { title: "Est injoignable depuis ce navigateur", advice: "Un pare-feu le bloque, rien n’y écoute, ou (avec turns:) son certificat n’est pas reconnu." },
    silent: { title: "N’a pas répondu à temps", advice: "Un pare-feu jette les paquets. TCP, ou TLS au port 443, passe plus souvent qu’UDP." },
    refused: { title: "N’a donné aucune adresse", advice: "Voyez le journal du serveur." },
  },
  took: (ms) => `${Math.round(ms)}\u00a0ms`,

  rowPath: "Chemin",
  rowGathered: "Adresses",
  rowPairs: "Essais",
  rowServer: "Serveur",
  rowClock: "Horloge",
  rowDoctor: "Rapport",
  pathDirect: (kind, ms) => `Les médias passent directement (${kind}), ${ms} aller-retour.`,
  pathRelayed: (kind, ms) => `Les médias passent par un serveur TURN (${kind}), ${ms} aller-retour.`,
  noPath: "Aucun chemin n’est ouvert.",
  unknownTime: "durée inconnue",
  gathered: (own, servers) => `Ce navigateur offre ${own} ; le serveur offre ${servers}.`,
  kinds: (host, srflx, relay) =>
    host + srflx + relay === 0
      ? "aucune adresse"
      : [host > 0 ? `${host} propre${s(host)}` : "", srflx > 0 ? `${srflx} vue${s(srflx)} de l’extérieur` : "", relay > 0 ? `${relay} relayée${s(relay)}` : ""].filter(Boolean).join(", "),
  noUdp: "Aucune adresse de ce navigateur n’est pour UDP : ses réglages ou une règle l’interdisent.",
  pairs: (tried, answered) => `${tried} chemin${s(tried)} essayé${s(tried)}, ${answered} avec réponse.`,
  pair: (local, kind, remote, state) => `${local} (${kind}) → ${remote} : ${state}`,
  pairChosen: "choisi",
  pairAnswers: (answered, asked) => `${answered}/${asked} réponses`,
  noServers: "Aucun serveur STUN ou TURN n’est configuré.",
  noServersAdvice: "Derrière des pare-feu stricts, les pages ne peuvent alors pas se connecter.",
  clockFine: (seconds) => `L’horloge de ce navigateur et celle du serveur diffèrent de ${seconds}\u00a0s.`,
  clockWrong: (seconds) => `L’horloge de ce navigateur et celle du serveur diffèrent de ${seconds}\u00a0s.`,
  clockAdvice: "Certificats et identifiants peuvent être refusés : mettez les deux horloges à l’heure par le réseau.",
  noReport: "Les vérifications du serveur n’ont pas pu être obtenues.",
  noReportOf: (status) => `Le serveur a répondu ${status} à la demande de ses vérifications.`,
  noReportAdvice: "Un serveur sans lanceur n’en a pas ; les vérifications du navigateur valent tout de même.",

  checkName: {
    gpu: "GPU",
    encoder: "Encodeur",
    media: "Médias",
    latency: "Latence",
    candidates: "Adresses",
    servers: "Serveurs",
    stun: "STUN",
    turnUdp: "TURN, UDP",
    turnTcp: "TURN, TCP",
    turnTls: "TURN, TLS",
    dns: "Noms",
    clock: "Horloge",
    sound: "Son",
    microphone: "Microphone",
    webcam: "Webcam",
    gamepads: "Manettes",
  },
};
