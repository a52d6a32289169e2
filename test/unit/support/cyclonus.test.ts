import { expect, it } from 'vitest'
import { junitCases } from '../../support/cyclonus.ts'

it('reads each case of a JUnit report, and takes an empty one for no cases', () => {
  const xml = `<testsuite tests="0" failures="1" time="" name="cyclonus">
    <testcase classname="" name="deny all &amp; allow dns" time=""></testcase>
    <testcase classname="" name="short" time=""/>
    <testcase classname="" name="named port" time="">
        <failure message="" type=""></failure>
    </testcase>
</testsuite>`
  expect(junitCases(xml)).toEqual([
    { name: 'deny all &amp; allow dns', passed: true },
    { name: 'short', passed: true },
    { name: 'named port', passed: false },
  ])
  expect(junitCases('<testsuite name="cyclonus"></testsuite>')).toEqual([])
})
