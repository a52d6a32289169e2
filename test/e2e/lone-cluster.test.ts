import { sampledLoneDrills } from '../support/life-cycle-drills.ts'
import { loneDrillTests } from '../support/lone-drill-tests.ts'

/** A sample of test/nightly/lone-cluster.test.ts. */
loneDrillTests(sampledLoneDrills)
