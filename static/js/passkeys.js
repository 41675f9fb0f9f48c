// Passkeys: hands the browser what WebAuthn needs and puts its answer into the form. Nothing here knows a secret.
const decode = (text) => Uint8Array.from(atob(text.replaceAll("-", "+").replaceAll("_", "/")), (letter) => letter.charCodeAt(0));
const encode = (buffer) => btoa(String.fromCharCode(...new Uint8Array(buffer))).replaceAll("+", "-").replaceAll("/", "_").replaceAll("=", "");
const ids = (list) => (list ?? []).map((each) => ({ ...each, id: decode(each.id) }));

async function made({ publicKey: { challenge, user, excludeCredentials, ...more } }) {
  return navigator.credentials.create({
    publicKey: { ...more, challenge: decode(challenge), user: { ...user, id: decode(user.id) }, excludeCredentials: ids(excludeCredentials) },
  });
}

async function used({ publicKey: { challenge, allowCredentials, ...more } }) {
  return navigator.credentials.get({ publicKey: { ...more, challenge: decode(challenge), allowCredentials: ids(allowCredentials) } });
}

function answer(credential) {
  const { response } = credential;
  const parts = ["clientDataJSON", "attestationObject", "authenticatorData", "signature", "userHandle"];
  const held = parts.filter((name) => response[name]).map((name) => [name, encode(response[name])]);
  return JSON.stringify({
    id: credential.id,
    rawId: encode(credential.rawId),
    type: credential.type,
    clientExtensionResults: credential.getClientExtensionResults(),
    response: Object.fromEntries(held),
  });
}

const REASONS = {
  NotAllowedError: "No passkey was used: the request was cancelled, or it took too long.",
  InvalidStateError: "This passkey is among yours already.",
  SecurityError: "The browser refuses passkeys at this address: nscweb must be opened by its name, over https.",
};

for (const form of document.querySelectorAll("form[data-passkey]")) {
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    const said = form.querySelector("[data-passkey-said]");
    const button = form.querySelector("[type=submit]");
    said.textContent = "";
    button.disabled = true;
    try {
      const act = form.dataset.passkey === "create" ? made : used;
      form.elements.credential.value = answer(await act(JSON.parse(form.dataset.options)));
      HTMLFormElement.prototype.submit.call(form);
    } catch (error) {
      said.textContent = REASONS[error.name] ?? "This browser can't use passkeys here.";
      button.disabled = false;
    }
  });
}
