// The last page of a sign-in in a window of its own. Pages of the gate keep no tie to the window
// that opened them (Cross-Origin-Opener-Policy), so the news goes to every page of this origin.
"use strict";

const news = new BroadcastChannel("totp_gate");
news.postMessage("signed-in");
news.close();
window.close();
