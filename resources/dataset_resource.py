"""The data set as Dagster's resource: typed fields, which a run's configuration may override."""

import dagster as dg
from pydantic import create_model

from grounding_assets.core.spec.settings import Spec
from resources.credentials import Credentials
from resources.dataset import DataSet
from resources.dead_runs import claim_run
from resources.run_config import config_fields, spec_of_run


def dataset_resource(spec: Spec, credentials: Credentials) -> dg.ConfigurableResource[DataSet]:
    """The resource of a code location. Keys stay in this process: run configuration has no field for them."""

    # a class for each spec: for each run, Dagster makes the resource again from its class and configuration alone
    class DataSetResource(dg.ConfigurableResource[DataSet]):
        """The spec of this data set; what a run's configuration changes holds for every asset of the run."""

        def create_resource(self, context: dg.InitResourceContext) -> DataSet:
            if context.instance is not None and context.run is not None:
                claim_run(context.instance, context.run)
            return DataSet(spec_of_run(spec, self), credentials)

    fields = config_fields(spec.image_grounding)
    return create_model("DataSetResource", __base__=DataSetResource, **fields)()
