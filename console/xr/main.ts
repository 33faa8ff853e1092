/** Entry of the headset's page. */
document.getElementById("app")!.textContent = "Cerebellum";
