// The coverage page on a DAG's overview, in Airflow 3.4 or later. Airflow hands over React and the DAG's id.
globalThis.AirflowPlugin = ({ dagId }) => {
  const page = new URL("../coverage", import.meta.url);
  page.searchParams.set("dag", dagId);
  return globalThis.React.createElement("iframe", {
    src: page.href,
    title: "Coverage",
    // Below the charts and lists of Airflow's own: as tall as the page's filters, cells and legend.
    style: { order: 9, width: "100%", height: "32rem", border: 0 },
  });
};
