// What a user of the AWS SDK for JavaScript v3 writes: register, list page by page, approve. Prints what came of it as JSON.
const sagemaker = require("@aws-sdk/client-sagemaker");
const s3 = require("@aws-sdk/client-s3");
const sts = require("@aws-sdk/client-sts");

async function main(group) {
  const client = new sagemaker.SageMakerClient({});
  const result = { versions: [], pages: [] };
  result.caller = (await new sts.STSClient({}).send(new sts.GetCallerIdentityCommand({}))).Arn;
  await client.send(new sagemaker.CreateModelPackageGroupCommand({ ModelPackageGroupName: group }));
  const InferenceSpecification = { Containers: [{ Image: "image:1", ModelDataUrl: "s3://bucket/model.tar.gz" }] };
  for (let number = 0; number < 3; number++) {
    const command = new sagemaker.CreateModelPackageCommand({ ModelPackageGroupName: group, InferenceSpecification });
    result.versions.push((await client.send(command)).ModelPackageArn);
  }
  const approval = { ModelApprovalStatus: "Approved", ApprovalDescription: "checked" };
  await client.send(new sagemaker.UpdateModelPackageCommand({ ModelPackageArn: result.versions[1], ...approval }));
  for await (const page of sagemaker.paginateListModelPackages({ client, pageSize: 2 }, { ModelPackageGroupName: group })) {
    result.pages.push(page.ModelPackageSummaryList.map((one) => [one.ModelPackageVersion, one.ModelApprovalStatus]));
  }
  try {
    await client.send(new sagemaker.DescribeModelPackageCommand({ ModelPackageName: `${group}/9` }));
  } catch (error) {
    result.missing = [error.name, error.message];
  }
  const objects = new s3.S3Client({ forcePathStyle: true });
  await objects.send(new s3.CreateBucketCommand({ Bucket: group }));
  await objects.send(new s3.PutObjectCommand({ Bucket: group, Key: "a key/ü", Body: "some bytes" }));
  const object = await objects.send(new s3.GetObjectCommand({ Bucket: group, Key: "a key/ü" }));
  result.object = await object.Body.transformToString();
  process.stdout.write(JSON.stringify(result));
}

main(process.argv[2]);
