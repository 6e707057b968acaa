import Diagnostics
import FeatureCatalogue

func importSAEDashboard(_ request: ImportRequest, into catalogue: Catalogue, report: (ImportProgress) -> Void, warn: (String) -> Void) throws -> ImportSummary {
    throw MonosemeError("importing \(request.source.rawValue) files is not there yet")
}
