/** Entry of the operator's console. */
import { render } from "preact";

render(<p>Cerebellum</p>, document.getElementById("app")!);
