"use strict";
// Figures in three dimensions, drawn by Plotly; where that fails the page's own words stay.
{
  const most = 8; // a browser has room for few at a time

  // The wheel scrolls the page. No button saves or sends a figure elsewhere: the page is for itself.
  const options = {
    displaylogo: false,
    responsive: true,
    scrollZoom: false,
    plotlyServerURL: "",
    modeBarButtons: [
      ["zoom3d", "pan3d", "orbitRotation", "tableRotation"],
      ["resetCameraDefault3d"],
    ],
  };

  function canTurn() {
    const canvas = document.createElement("canvas");
    const context = canvas.getContext("webgl2") ?? canvas.getContext("webgl");
    context?.getExtension("WEBGL_lose_context")?.loseContext();
    return context !== null;
  }

  async function draw(figure) {
    const stage = figure.querySelector(".stage");
    const plot = JSON.parse(figure.querySelector("script").textContent);
    stage.hidden = false;
    try {
      await Plotly.newPlot(stage, plot.data, plot.layout, options);
      figure.querySelector(".note").hidden = true;
    } catch (error) {
      stage.hidden = true;
      console.error(error);
    }
  }

  if (typeof Plotly !== "undefined" && canTurn()) {
    [...document.querySelectorAll(".turnable")].slice(0, most).forEach(draw);
  }
}
