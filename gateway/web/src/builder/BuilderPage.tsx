import { useQuery } from "@tanstack/react-query";
import { useParams, useSearchParams } from "react-router";
import { asApiError } from "../api/errors";
import { pluginQuery } from "../api/queries";
import { LinkButton } from "../ui/Button";
import { Page } from "../ui/Page";
import { Failure, Loading } from "../ui/states";
import { Builder } from "./Builder";
import { TEMPLATES } from "./templates";

export default function BuilderPage() {
  const { name } = useParams();
  const [search] = useSearchParams();
  const wanted = search.get("template");
  const template = TEMPLATES.find((one) => one.id === wanted);
  return name ? <EditOne key={name} name={name} /> : <Builder key={wanted ?? ""} plugin={null} {...(template ? { begin: template } : {})} />;
}

function EditOne({ name }: { name: string }) {
  const { data, error, refetch } = useQuery(pluginQuery(name));
  if (data) return <Builder plugin={data} />;
  return (
    <Page wide title={`Edit ${name}`} heading={name}>
      {error ? (
        <Failure error={error} retry={() => void refetch()}>
          {asApiError(error).kind === "not_found" && (
            <LinkButton to="/builder" small>
              Write a new one
            </LinkButton>
          )}
        </Failure>
      ) : (
        <Loading what={name} height={520} />
      )}
    </Page>
  );
}
